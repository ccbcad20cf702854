"""What is written about failures, and when a run is given up."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from agentbench.episodes.failures import FailureStreak, describe, kind
from agentbench.errors import PreflightError
from agentbench.types import EndReason, History, Observation, Task, Trajectory


def test_a_failure_is_its_type_and_the_first_line_of_its_message() -> None:
    assert describe(ValueError("too much\nat line 3")) == "ValueError: too much"
    assert describe(KeyError()) == "KeyError:"


def test_a_description_has_at_most_500_characters() -> None:
    assert len(describe(ValueError("x" * 1000))) == 500


@pytest.mark.parametrize(
    ("message", "written"),
    [
        ("401 for Authorization: Bearer abc.def", "401 for Authorization: Bearer …"),
        ("bad api_key='abcdef', sorry", "bad api_key='…', sorry"),
        ('{"password": "hunter2"}', '{"password": "…"}'),
        ("cannot reach http://me:hunter2@host:80/v1", "cannot reach http://…@host:80/v1"),
        ("incorrect key sk-abcdefghijkl given", "incorrect key … given"),
        ("cannot reach http://host:80/v1", "cannot reach http://host:80/v1"),
    ],
)
def test_credentials_are_blanked_out_and_nothing_else(message: str, written: str) -> None:
    assert describe(OSError(message)) == f"OSError: {written}"


def test_the_kind_of_a_failure_is_its_type() -> None:
    assert kind("LlmError: 500: oops") == "LlmError" and kind("") == ""


def _ended(make_task: Callable[..., Task], error: str) -> Trajectory:
    fine = Trajectory(make_task("a"), History((), Observation("")), EndReason.FINAL)
    return dataclasses.replace(fine, end=EndReason.ERROR, error=error) if error else fine


def test_a_streak_of_equal_failures_ends_the_run(make_task: Callable[..., Task]) -> None:
    streak = FailureStreak(3)
    for _ in range(2):
        streak.note(_ended(make_task, "LlmError: refused"))
    with pytest.raises(PreflightError, match=r"the first 3 episodes all failed: LlmError: refused, last"):
        streak.note(_ended(make_task, "LlmError: refused, last"))


@pytest.mark.parametrize("other", ["", "OSError: disk"])
def test_one_episode_that_differs_breaks_the_streak_for_good(other: str, make_task: Callable[..., Task]) -> None:
    streak = FailureStreak(3)
    for error in ("LlmError: a", other, *["LlmError: a"] * 5):
        streak.note(_ended(make_task, error))
