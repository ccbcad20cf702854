"""Four figures about the use of tools, worked out by hand."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest

from agentbench.scoring.judge import Judged
from agentbench.scoring.tool_use import QualityScorer, ToolUseScorer
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    EndReason,
    Final,
    Gold,
    History,
    Malformed,
    Observation,
    Outcome,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)


def calling(name: str) -> CallTools:
    return CallTools((ToolCall(name, {}),))


def played(*steps: tuple[Action, Outcome], answer: Answer | None = None) -> Trajectory:
    """An episode of a task whose gold calls are weather, weather, calculator."""
    gold = Gold(answer or Answer(AnswerType.TEXT, "7"), (calling("weather"), calling("weather"), calling("calculator")))
    task = Task("t", "playground", "warmer", (Turn("How much warmer?", gold),))
    made = tuple(
        Step(Decision(action), Observation("{}" if outcome is Outcome.OK else "", outcome), StepCategory.OTHER_CALL)
        for action, outcome in steps
    )
    return Trajectory(task, History((), Observation("How much warmer?"), made), EndReason.FINAL)


MIXED = (
    (calling("weather"), Outcome.OK),
    (calling("wether"), Outcome.UNKNOWN_TOOL),
    (calling("calculator"), Outcome.TOOL_ERROR),
    (Malformed("<call", "no JSON"), Outcome.MALFORMED),
    (Final("7"), Outcome.OK),
)


def figures(trajectory: Trajectory) -> dict[str, float | None]:
    return {score.name: score.value for score in asyncio.run(ToolUseScorer().score(trajectory))}


def test_the_figures_of_a_mixed_episode() -> None:
    found = figures(played(*MIXED))
    assert found["tool_accuracy"] == 2 / 4  # shared: weather, calculator; all: weather twice, wether, calculator
    assert found["format"] == 3 / 5  # not the unknown tool, not the unreadable text
    assert found["execution"] == 1 / 2  # weather, not calculator


def test_the_gold_calls_and_an_answer_have_full_marks() -> None:
    names = ("weather", "weather", "calculator")
    found = figures(played(*((calling(name), Outcome.OK) for name in names), (Final("7"), Outcome.OK)))
    assert set(found.values()) == {1.0}


def test_a_call_made_again_is_well_formed_and_not_carried_out() -> None:
    found = figures(played((calling("weather"), Outcome.OK), (calling("weather"), Outcome.REPEATED)))
    assert (found["format"], found["execution"]) == (1.0, 0.5)


def test_where_nothing_was_called_there_is_no_execution_to_judge() -> None:
    found = figures(played((Final("7"), Outcome.OK)))
    assert found == {"tool_accuracy": 0.0, "format": 1.0, "execution": None}


class Strict:
    """Finds an answer right if it is the gold one, and grounded if it stands in the evidence."""

    async def correct(self, query: str, answer: str, gold: str) -> Judged:
        return Judged(answer == gold, "compared with gold")

    async def grounded(self, query: str, answer: str, evidence: Sequence[str]) -> Judged:
        return Judged(answer in evidence, "looked for in the evidence")


def judged(judge: Strict, trajectory: Trajectory) -> tuple[Score, ...]:
    return asyncio.run(QualityScorer(judge).score(trajectory))


@pytest.mark.parametrize(("said", "quality"), [("7", 1.0), ("8", 0.0)])
def test_quality_is_rightness_where_the_task_knows_what_is_right(said: str, quality: float) -> None:
    (score,) = judged(Strict(), played((Final(said), Outcome.OK)))
    assert (score.name, score.value, score.explanation) == ("quality", quality, "compared with gold")


def test_quality_is_groundedness_where_nobody_knows_what_is_right() -> None:
    secret = Answer(AnswerType.TEXT, None)
    (score,) = judged(Strict(), played((calling("weather"), Outcome.OK), (Final("{}"), Outcome.OK), answer=secret))
    assert (score.value, score.explanation) == (1.0, "looked for in the evidence")


def test_a_judge_without_an_opinion_leaves_quality_unscored() -> None:
    class Silent(Strict):
        async def correct(self, query: str, answer: str, gold: str) -> Judged:
            return Judged(None, "the server was down")

    (score,) = judged(Silent(), played((Final("7"), Outcome.OK)))
    assert score.value is None and "the server was down" in score.explanation


def test_an_answer_never_given_is_bad_without_asking() -> None:
    never = dataclasses.replace(played((calling("weather"), Outcome.OK)), end=EndReason.HORIZON)
    (score,) = judged(Strict(), never)
    assert score.value == 0.0
