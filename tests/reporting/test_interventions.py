"""An overseer judged by what agent and expert said."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.reporting.interventions import interventions
from agentbench.types import (
    Actor,
    Alternative,
    Decision,
    EndReason,
    Final,
    History,
    Observation,
    Step,
    StepCategory,
    Task,
    Trajectory,
)


def helped(agents: str, experts: str = "Stroud") -> Step:
    """The expert answers where the agent would have answered something, maybe the same."""
    other = (Alternative(Actor.AGENT, Final(agents)),)
    decision = Decision(Final(experts), Actor.EXPERT, other, (), "answers_too_early")
    return Step(decision, Observation(""), StepCategory.CORRECT_FINAL)


def alone(category: StepCategory) -> Step:
    return Step(Decision(Final("x")), Observation(""), category)


@pytest.fixture
def played(film_task: Task) -> list[Trajectory]:
    """Of the first steps the expert takes one of three; of the second ones both."""
    steps = [
        (alone(StepCategory.GOLD_CALL), helped("Paris")),
        (alone(StepCategory.BAD_CALL), helped("stroud")),
        (helped("London"),),
    ]
    tasks = (dataclasses.replace(film_task, id=str(number)) for number in range(3))
    opening = Observation("?")
    return [
        Trajectory(task, History((), opening, taken), EndReason.FINAL) for task, taken in zip(tasks, steps, strict=True)
    ]


def test_the_experts_share_is_told_by_step(played: list[Trajectory]) -> None:
    assert [(share.count, share.n) for share in interventions(played).by_step] == [(1, 3), (2, 2)]


def test_an_intervention_was_needed_where_the_agent_would_have_done_something_else(played: list[Trajectory]) -> None:
    needed = interventions(played).needed["answers_too_early"]
    assert (needed.count, needed.n) == (2, 3)  # Paris and London; stroud is the expert's answer in other letters


def test_bad_steps_of_the_agents_own_were_let_through(played: list[Trajectory]) -> None:
    assert (interventions(played).let_through.count, interventions(played).let_through.n) == (1, 2)


def test_steps_beyond_the_tenth_are_taken_together(film_task: Task) -> None:
    many = Trajectory(
        film_task, History((), Observation("?"), (alone(StepCategory.GOLD_CALL),) * 14), EndReason.HORIZON
    )
    by_step = interventions([many]).by_step
    assert (len(by_step), by_step[-1].n) == (11, 4)
