"""Episodes scored again without being played."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbench.episodes.pool import run_async
from agentbench.episodes.rescore import Rescoring, keep_scored
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import ExpertSettings, Summary
from agentbench.episodes.tally import Tally
from agentbench.tasks.gold import answers
from agentbench.types import (
    Branch,
    Decision,
    EndReason,
    Final,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    Trajectory,
)


class Counts:
    """The score named `looked`; how often it looked, in `seen`."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        self.seen.append(trajectory.task.id)
        return (Score("looked", 0.5),)


class Said:
    """A score that holds what was answered on the way, in order."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        return (Score("answer", 1.0, "".join(answers(trajectory.history))),)


@pytest.fixture
def played(make_task: Callable[..., Task]) -> list[Trajectory]:
    """Two finished samples of one task, and a failure."""
    first = Trajectory(make_task("a"), History((), Observation("go")), EndReason.FINAL, (Score("answer", 1.0),))
    failure = dataclasses.replace(first, task=make_task("b"), end=EndReason.ERROR, error="LlmError: gone", scores=())
    return [first, dataclasses.replace(first, sample=1), failure]


def rescored(played: list[Trajectory], scorer: Counts, folder: Path) -> Summary:
    rescoring = Rescoring((scorer,), Tally(ExpertSettings()), 4, table=False)
    return run_async(keep_scored(played, rescoring, folder))


def test_scores_are_replaced_and_failures_keep_theirs(played: list[Trajectory], tmp_path: Path) -> None:
    summary = rescored(played, scorer := Counts(), tmp_path)
    kept = {
        (each.task.id, each.sample): [score.name for score in each.scores]
        for each in read_trajectories(tmp_path / TRAJECTORIES)
    }
    assert kept == {("a", 0): ["looked"], ("a", 1): ["looked"], ("b", 0): []}
    assert (summary.n, summary.errors, scorer.seen) == (3, {"LlmError": 1}, ["a", "a"])


def test_what_was_scored_already_is_not_scored_again(played: list[Trajectory], tmp_path: Path) -> None:
    rescored(played[:1], Counts(), tmp_path)
    summary = rescored(played, scorer := Counts(), tmp_path)
    assert (summary.n, len(scorer.seen)) == (3, 1)


def test_every_way_through_a_tree_is_scored_by_its_own_steps(played: list[Trajectory], tmp_path: Path) -> None:
    """A branch leaves the second step of three and has one of its own; another branch leaves that branch's step."""
    steps = [Step(Decision(Final(text)), Observation(""), StepCategory.OTHER_CALL) for text in "abc"]
    inner = Branch(steps[2].decision, (steps[2], steps[2]), EndReason.HORIZON)
    outer = Branch(steps[1].decision, (dataclasses.replace(steps[1], branches=(inner,)),), EndReason.FINAL)
    trunk = (steps[0], dataclasses.replace(steps[1], branches=(outer,)), steps[2])
    tree = dataclasses.replace(played[0], history=History((), Observation("go"), trunk))
    run_async(keep_scored([tree], Rescoring((Said(),), Tally(ExpertSettings()), 4, table=False), tmp_path))
    (kept,) = read_trajectories(tmp_path / TRAJECTORIES)
    (outer,) = kept.history.steps[1].branches
    (inner,) = outer.steps[0].branches
    assert [one.scores[0].explanation for one in (kept, outer, inner)] == ["abc", "ab", "acc"]
