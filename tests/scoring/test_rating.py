"""Ratings from 1 to 5: what the judge is told, and the three shares that come of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agentbench.llm import Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import StructuredLlm
from agentbench.scoring.rating import RatingScorer
from agentbench.tools.assistant.specs import SEND_EMAIL
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Decision,
    EndReason,
    Final,
    Gold,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)

MAIL = CallTools((ToolCall("send_email", {"to": "a@b.c", "subject": "Hi", "body": "<b>"}),), "greet her")
TASK = Task("t", "assistant", "assistant", (Turn("Greet Ann.", Gold(Answer(AnswerType.TEXT))),))
STEPS = (
    Step(Decision(MAIL), Observation('{"email":1}'), StepCategory.OTHER_CALL),
    Step(Decision(Final("Done.")), Observation(""), StepCategory.UNJUDGED_FINAL),
)


def episode(end: EndReason = EndReason.FINAL) -> Trajectory:
    history = History((SEND_EMAIL,), Observation("Greet Ann."), STEPS)
    return Trajectory(TASK, history, end, evidence={"emails": [{"to": "a@b.c"}]})


def scores(llm: ScriptedLlm, played: Trajectory, pass_from: int = 4) -> dict[str, Score]:
    scorer = RatingScorer(StructuredLlm(llm, Sampling(), True), "Rate!", 3, pass_from=pass_from)
    return {score.name: score for score in asyncio.run(scorer.score(played))}


def said(rating: Any) -> ScriptedLlm:
    return ScriptedLlm([json.dumps({"reason": "Short.", "rating": rating})] * 3)


@pytest.mark.parametrize(("rating", "passed", "scaled"), [(1, 0.0, 0.0), (3, 0.0, 0.5), (4, 1.0, 0.75), (5, 1.0, 1.0)])
def test_four_and_five_pass_and_the_rest_are_bad_tasks(rating: int, passed: float, scaled: float) -> None:
    found = scores(said(rating), episode())
    assert found["answer"].value == passed and found["bad_task"].value == 1 - passed
    assert found["rating"].value == scaled and found["completed"].value == 1.0
    assert found["answer"].explanation == f"{rating} of 5: Short."


def test_the_threshold_is_configuration() -> None:
    assert scores(said(3), episode(), pass_from=3)["answer"].value == 1.0


def test_what_was_not_completed_is_neither_passed_nor_bad_and_nobody_is_asked() -> None:
    llm = said(5)
    found = scores(llm, episode(EndReason.HORIZON))
    assert {name: score.value for name, score in found.items()} == {"answer": 0.0, "bad_task": 0.0, "completed": 0.0}
    assert llm.requests == []


def test_a_judge_without_an_opinion_leaves_the_episode_unscored() -> None:
    found = scores(said(6), episode())  # 6 is no rating
    assert found["answer"].value is None and found["bad_task"].value is None and found["completed"].value == 1.0
    assert len(found["answer"].generations) == 3


def test_the_judge_reads_request_tools_steps_outbox_and_answer_as_material() -> None:
    llm = said(4)
    scores(llm, episode())
    told = llm.requests[0].prompt.messages[1]["content"]
    for part in ('"Greet Ann."', '"send_email"', '"greet her"', '{"emails": [{"to": "a@b.c"}]}', '"Done."'):
        assert part in told
    assert "<b>" not in told and "\\u003cb>" in told
