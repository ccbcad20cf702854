"""The gold action over what the agent did instead."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.config.prefs import Arguments, Negatives, StepPrefs, StepSource
from agentbench.episodes.tally import differ
from agentbench.training_data.gold_pairs import GoldPairs
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.transcript import Transcriber
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
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolSpec,
    Trajectory,
    Turn,
)

TOOLS = (ToolSpec("weather", "", {"type": "object"}), ToolSpec("time", "", {"type": "object"}))
GOLD = CallTools((ToolCall("weather", {"city": "Oslo"}), ToolCall("weather", {"city": "Rome"})))
TASK = Task("t-1", "made", "town", (Turn("?", Gold(Answer(AnswerType.TEXT), (GOLD,))),), data={"split": "train"})
NEAR = CallTools((ToolCall("weather", {"city": "Oslo"}), ToolCall("weather", {"city": "Bern"})))
FAR = CallTools((ToolCall("time", {"city": "Oslo"}),))
TEXT = Malformed("<call", "no end")


def played(action: Action, category: StepCategory) -> Trajectory:
    step = Step(Decision(action), Observation(""), category)
    return Trajectory(TASK, History(TOOLS, Observation("?"), (step,)), EndReason.ENV_DONE)


def maker(negatives: Negatives = Negatives.ANY) -> GoldPairs:
    prefs = StepPrefs(source=StepSource.GOLD, negatives=negatives)
    return GoldPairs(prefs, Transcriber(None, "", Arguments.TEXT), differ)


def pairs(made: GoldPairs, action: Action, category: StepCategory = StepCategory.OTHER_CALL) -> list[PreferenceRow]:
    return list(made.rows(played(action, category)))


@pytest.mark.parametrize("wrong", [NEAR, FAR, TEXT, Final("Warm.")])
def test_what_is_wrong_is_rejected_for_the_gold_calls(wrong: Action) -> None:
    (row,) = pairs(maker(), wrong)
    assert row.chosen_category == "gold_call"
    assert [call["function"]["arguments"] for call in row.chosen[0]["tool_calls"]] == [
        '{"city": "Oslo"}',
        '{"city": "Rome"}',
    ]


def test_the_gold_calls_in_another_order_are_no_pair() -> None:
    made = maker()
    assert pairs(made, CallTools(GOLD.calls[::-1]), StepCategory.GOLD_CALL) == []
    assert made.dropped == {"both do the same": 1}


def test_hard_negatives_call_the_right_functions() -> None:
    made = maker(Negatives.NEAR)
    assert [len(pairs(made, wrong)) for wrong in (NEAR, FAR, TEXT)] == [1, 0, 0]
    assert made.dropped == {"the agent's step was not near the gold one": 2}


def test_where_no_answer_is_known_nothing_is_preferred() -> None:
    made = maker()
    done = Step(Decision(GOLD), Observation("{}"), StepCategory.GOLD_CALL)
    later = played(Final("Warm."), StepCategory.UNJUDGED_FINAL)
    both = dataclasses.replace(later, history=History(TOOLS, Observation("?"), (done, *later.history.steps)))
    assert list(made.rows(both)) == []
    assert made.dropped["states in which no right action is known"] == 1
