"""Toolformer's filter, with likelihoods that can be checked by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from agentbench.templates import Span
from agentbench.training_data.helpful import HelpfulCalls, weighted_loss
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
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)

HALF, TENTH = math.log(0.5), math.log(0.1)
OPEN, CLOSE = 0, 1
"""Control tokens around each action."""


class Letters:
    """One token per character."""

    def spans(self, history: History) -> tuple[Span, ...]:
        texts: list[str] = [history.opening.text]
        for step in history.steps:
            match step.decision.action:
                case CallTools(calls=(call,)):
                    texts += [call.name, step.observation.text]
                case Final(answer=answer):
                    texts += [answer, ""]
        ids = [tuple(map(ord, text)) for text in texts[: len(texts) - 1]]
        return tuple(Span((OPEN, *part, CLOSE), index) for index, part in enumerate(ids))


class Copying:
    """Finds a letter likely (0.5) that stands in the prompt, and others unlikely (0.1)."""

    def logprobs(self, prompt: Sequence[int], continuation: Sequence[int]) -> list[float]:
        return [HALF if letter in prompt else TENTH for letter in continuation]


def step(action: CallTools | Final, result: str = "") -> Step:
    return Step(Decision(action), Observation(result), StepCategory.OTHER_CALL)


def call(name: str, result: str) -> Step:
    return step(CallTools((ToolCall(name, {}),)), result)


def played(*steps: Step) -> Trajectory:
    task = Task("t", "s", "d", (Turn("?", Gold(Answer(AnswerType.TEXT, None))),))
    return Trajectory(task, History((), Observation("?"), steps), EndReason.FINAL)


def helpful(threshold: float = 0.1) -> HelpfulCalls:
    return HelpfulCalls(Letters(), frozenset({OPEN, CLOSE}), Copying(), threshold)


def test_the_first_tokens_count_most() -> None:
    assert weighted_loss([-1.0]) == 1.0
    assert weighted_loss([-1.0, -2.0]) == pytest.approx((1.0 * 1 + 0.8 * 2) / 1.8)
    assert weighted_loss([-1.0] * 5 + [-100.0] * 3) == 1.0  # the sixth token weighs nothing


def test_the_gain_is_against_the_better_of_no_call_and_no_result() -> None:
    trajectory = played(call("f", "42"), step(Final("42")))
    (losses,) = helpful().losses(trajectory.history, trajectory.history.steps, 0)
    assert losses.with_result == pytest.approx(-HALF)  # both letters stand in the result
    assert losses.without_result == losses.without_call == pytest.approx(-TENTH)
    assert losses.gain == pytest.approx(math.log(5))  # ln 10 - ln 2


def test_a_call_whose_arguments_already_say_it_gains_nothing_by_its_result() -> None:
    trajectory = played(call("f42", "42"), step(Final("42")))
    (losses,) = helpful().losses(trajectory.history, trajectory.history.steps, 0)
    assert losses.gain == pytest.approx(0.0)  # without its result the call still holds 4 and 2


def test_calls_that_did_not_help_are_taken_out() -> None:
    useless, useful, last = call("g", "xyz"), call("f", "42"), step(Final("42"))
    found = helpful()
    kept = found.kept(played(useless, useful, last))
    assert kept is not None and kept.history.steps == (useful, last)
    assert found.dropped == {"calls that did not help": 1}


def test_of_two_calls_that_say_the_same_one_is_kept() -> None:
    first, second, last = call("f", "42"), call("g", "42"), step(Final("42"))
    kept = helpful().kept(played(first, second, last))
    assert kept is not None and kept.history.steps == (second, last)  # with the second there, the first gains nothing


def test_a_call_that_only_a_later_call_needs_is_kept() -> None:
    needed, caller, last = call("f", "ab"), call("ab", "9"), step(Final("9"))
    kept = helpful().kept(played(needed, caller, last))
    assert kept is not None and kept.history.steps == (needed, caller, last)


def test_a_trajectory_none_of_whose_calls_helped_is_left_out() -> None:
    found = helpful()
    assert found.kept(played(call("g", "xyz"), step(Final("42")))) is None
    assert found.dropped["trajectories without a call that helped"] == 1


def test_one_that_never_called_anything_stays_as_it_is() -> None:
    silent = played(step(Final("42")))
    assert helpful().kept(silent) == silent


def test_the_threshold_is_the_least_gain() -> None:
    trajectory = played(call("f", "42"), step(Final("42")))
    assert helpful(math.log(5) - 0.01).kept(trajectory) == trajectory
    assert helpful(math.log(5) + 0.01).kept(trajectory) is None
