"""What states and steps of a tree of trajectories are worth, by the leaves below them.

The value V(s) of a state is the mean success of all leaves that were reached from it, the value Q(s, a) of a step that
of the leaves reached through it, and Q − V its advantage: the Monte Carlo estimate of R. S. Sutton and A. G. Barto,
Reinforcement Learning, 2nd edition, 2018, section 5.1 and equation 3.14, taken over a tree. Leaves that ended with an
error, or that nobody could score, do not count.

What it does not cover: every leaf weighs the same, so a state whose alternatives branch again weighs them more; samples
that came to the same as another were dropped and weigh nothing; and where an expert took steps, they are the value of
both together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from agentbench.types import EndReason, Score, Step, Trajectory


class Estimate(NamedTuple):
    """A mean over leaves."""

    mean: float | None
    """In [0, 1]; `None` where no leaf counts."""
    leaves: int
    """Leaves that count."""


class StepValue(NamedTuple):
    """What a step is worth, and the state it was taken in."""

    state: Estimate
    step: Estimate

    @property
    def advantage(self) -> float | None:
        """Q − V in [-1, 1]: 0 where nothing else was tried in the state, `None` where no leaf below the step counts."""
        if self.state.mean is None or self.step.mean is None:
            return None
        return self.step.mean - self.state.mean


def state_values(trajectory: Trajectory) -> dict[int, StepValue]:
    """Of every step in the tree, by `id(step)`: as long as the trajectory is there, no two steps share one."""
    found: dict[int, StepValue] = {}
    own = _Leaves.of(trajectory.end, trajectory.scores)
    _value(trajectory.history.steps, own, found)
    return found


def advantages(trajectory: Trajectory) -> dict[int, float]:
    """Q − V of every step that has one, by `id(step)`."""
    values = state_values(trajectory)
    return {key: value.advantage for key, value in values.items() if value.advantage is not None}


def root_value(trajectory: Trajectory) -> Estimate:
    """Mean success of all leaves of the tree."""
    steps = trajectory.history.steps
    own = _Leaves.of(trajectory.end, trajectory.scores)
    return state_values(trajectory)[id(steps[0])].state if steps else own.estimate


class _Leaves(NamedTuple):
    """Leaves that count, and the sum of their success."""

    success: float = 0.0
    number: int = 0

    @classmethod
    def of(cls, end: EndReason, scores: tuple[Score, ...]) -> _Leaves:
        """The one leaf at the end of a path."""
        verdict = next((score.value for score in scores if score.name == "answer"), None)
        return cls() if end is EndReason.ERROR or verdict is None else cls(float(verdict == 1.0), 1)

    @property
    def estimate(self) -> Estimate:
        return Estimate(self.success / self.number if self.number else None, self.number)


def _value(steps: tuple[Step, ...], end: _Leaves, found: dict[int, StepValue]) -> _Leaves:
    """Values the steps of a path from its end to its beginning; the leaves below its first state."""
    below = end
    for step in reversed(steps):
        below = _value_state(step, below, found)
    return below


def _value_state(step: Step, below: _Leaves, found: dict[int, StepValue]) -> _Leaves:
    """Values all that was done in the state of a step, below which there are these leaves; those below the state.

    The first step of a branch was taken in the same state as the step it branches from, and so were branches of it.
    """
    ways = [(step, below), *_other_ways(step, found)]
    state = _sum(leaves for _, leaves in ways)
    found |= {id(way): StepValue(state.estimate, leaves.estimate) for way, leaves in ways}
    return state


def _other_ways(step: Step, found: dict[int, StepValue]) -> list[tuple[Step, _Leaves]]:
    ways: list[tuple[Step, _Leaves]] = []
    for branch in step.branches:
        if branch.steps:
            first, *rest = branch.steps
            end = _Leaves.of(branch.end, branch.scores)
            ways += [(first, _value(tuple(rest), end, found)), *_other_ways(first, found)]
    return ways


def _sum(parts: Iterable[_Leaves]) -> _Leaves:
    listed = list(parts)
    return _Leaves(math.fsum(part.success for part in listed), sum(part.number for part in listed))
