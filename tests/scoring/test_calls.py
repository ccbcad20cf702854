"""Exact match, parts and the taxonomy of failures, from what was said first."""

from __future__ import annotations

import asyncio

import pytest

from agentbench.scoring.call_faults import Failure, failure, faults
from agentbench.scoring.calls import CallsScorer
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

DAYS = {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer", "default": 1}}}
TOOLS = (ToolSpec("weather", "", DAYS), ToolSpec("time", "", {"type": "object", "properties": {}}))
OSLO, ROME = ToolCall("weather", {"city": "Oslo"}), ToolCall("weather", {"city": "Rome", "days": 3})
TIME = ToolCall("time", {})


def played(action: Action, *wanted: ToolCall) -> Trajectory:
    gold = Gold(Answer(AnswerType.TEXT), (CallTools(wanted),) if wanted else ())
    task = Task("t-1", "made", "town", (Turn("?", gold),))
    step = Step(Decision(action), Observation(""), StepCategory.OTHER_CALL)
    return Trajectory(task, History(TOOLS, Observation("?"), (step,)), EndReason.ENV_DONE)


def scores(action: Action, *wanted: ToolCall) -> dict[str, float | None]:
    return {score.name: score.value for score in asyncio.run(CallsScorer().score(played(action, *wanted)))}


def called(*calls: ToolCall) -> CallTools:
    return CallTools(calls)


def test_calls_in_another_order_are_an_exact_match() -> None:
    every = {"answer": 1.0, "format": 1.0, "function": 1.0, "arguments": 1.0, "parallel": 1.0}
    assert scores(called(ROME, OSLO), OSLO, ROME) == every


def test_defaults_are_filled_in_before_calls_are_compared() -> None:
    assert scores(called(ToolCall("weather", {"city": "Oslo", "days": 1})), OSLO)["answer"] == 1.0


def test_one_wrong_argument_of_four_leaves_three() -> None:
    # Two calls of two arguments each, defaults included; Rome's days are 3 and not 4.
    found = scores(called(OSLO, ToolCall("weather", {"city": "Rome", "days": 4})), OSLO, ROME)
    assert found == {"answer": 0.0, "format": 1.0, "function": 1.0, "arguments": 0.75, "parallel": 0.5}


def test_a_made_call_is_held_against_the_gold_one_it_is_most_like() -> None:
    nearly = ToolCall("weather", {"city": "Rome", "days": 2})  # shares the city with Rome, nothing with Oslo
    found = scores(called(nearly), OSLO, ROME)
    assert (found["arguments"], found["function"]) == (0.5, 0.0)


def test_without_a_call_of_the_right_function_arguments_are_unscored() -> None:
    found = scores(called(TIME), OSLO)
    assert (found["function"], found["arguments"], found["answer"]) == (0.0, None, 0.0)


def test_calling_nothing_is_right_where_nothing_is_wanted() -> None:
    assert scores(Final("I cannot do that."))["answer"] == 1.0
    assert scores(called(OSLO))["answer"] == 0.0


def test_an_episode_without_a_step_is_unscored() -> None:
    empty = Trajectory(played(Final("")).task, History(TOOLS, Observation("?")), EndReason.ERROR)
    (score,) = asyncio.run(CallsScorer().score(empty))
    assert score.value is None


@pytest.mark.parametrize(
    ("action", "kind"),
    [
        (Malformed("<call", "no end"), Failure.UNREADABLE),
        (called(), Failure.UNREADABLE),
        (Final("It is warm."), Failure.NO_CALL),
        (called(ToolCall("fly", {})), Failure.UNKNOWN_FUNCTION),
        (called(TIME, ROME), Failure.WRONG_FUNCTION),
        (called(ROME), Failure.MISSING_CALL),
        (called(OSLO, ROME, TIME), Failure.EXTRA_CALL),
        (called(OSLO, ToolCall("weather", {"days": 3})), Failure.MISSING_ARGUMENT),
        (called(OSLO, ToolCall("weather", {"city": "Rome", "days": 3, "sky": 1})), Failure.EXTRA_ARGUMENT),
        (called(OSLO, ToolCall("weather", {"city": "Rome", "days": "3"})), Failure.WRONG_TYPE),
        (called(OSLO, ToolCall("weather", {"city": "Roma", "days": 3})), Failure.WRONG_VALUE),
        (called(ROME, OSLO), None),
    ],
)
def test_a_failure_is_named_by_its_worst_fault(action: Action, kind: Failure | None) -> None:
    assert failure(played(action, OSLO, ROME)) is kind


def test_every_fault_is_told_in_words() -> None:
    wrong = called(ToolCall("weather", {"city": "Roma", "days": True}))
    told = [str(fault) for fault in faults(played(wrong, OSLO).task, wrong, TOOLS)]
    assert told == ["wrong_type: weather.days is True, not 1", "wrong_value: weather.city is 'Roma', not 'Oslo'"]
