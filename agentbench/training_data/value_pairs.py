"""Step preferences without an expert: of two things done in one state of a tree, the one that more often ended well.

Values are means over the leaves below a step, so with few leaves luck makes pairs too: `fewest_leaves` and
`value_margin` say how much is enough. Who did it, and in which category it falls, plays no part.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import NamedTuple

from agentbench.config.prefs import StepPrefs
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.step_pairs import Differ, Option, Pair, State, pair_row, states
from agentbench.training_data.transcript import Transcriber, tools_text
from agentbench.types import Step, Trajectory


class Value(NamedTuple):
    """What a step was worth."""

    mean: float
    leaves: int


ValuesOf = Callable[[Trajectory], Mapping[int, Value]]
"""The values of a tree's steps by `id(step)`; steps that have none are left out."""


class ValuePairs:
    """Makes the pairs of trajectories, one after the other, and counts in `dropped` why others are left out."""

    def __init__(self, config: StepPrefs, transcriber: Transcriber, differ: Differ, values_of: ValuesOf) -> None:
        self.dropped: Counter[str] = Counter()
        self._config = config
        self._transcriber = transcriber
        self._differ = differ
        self._values_of = values_of

    def rows(self, trajectory: Trajectory) -> Iterator[PreferenceRow]:
        """The pairs of one tree, without id."""
        values = self._values_of(trajectory)
        tools = tools_text(trajectory.history.tools)
        empty = dataclasses.replace(trajectory.history, steps=())
        if not any(step.branches for step in trajectory.history.steps):
            self.dropped["trajectories without branches"] += 1
        for state in states(empty, trajectory.history.steps):
            for pair in self._pairs(state, values):
                yield pair_row(self._transcriber, trajectory.task, tools, pair)

    def _pairs(self, state: State, values: Mapping[int, Value]) -> Iterator[Pair]:
        for one, other in combinations(state.carried_out, 2):
            mine, theirs = values.get(id(one)), values.get(id(other))
            reason = self._reason_against(state, (one, other), mine, theirs)
            if reason or mine is None or theirs is None:
                self.dropped[reason] += 1
            elif mine.mean > theirs.mean:
                yield Pair(state.before, _option(one), _option(other), mine.mean - theirs.mean)
            else:
                yield Pair(state.before, _option(other), _option(one), theirs.mean - mine.mean)

    def _reason_against(self, state: State, steps: tuple[Step, Step], mine: Value | None, theirs: Value | None) -> str:
        """Why two steps make no pair; empty where they do."""
        one, other = steps
        if mine is None or theirs is None:
            return "a side has no value: its leaves failed or were not scored"
        if min(mine.leaves, theirs.leaves) < self._config.fewest_leaves:
            return "a side has too few leaves"
        if mine.mean == theirs.mean:
            return "both are worth the same"
        if abs(mine.mean - theirs.mean) < self._config.value_margin:
            return "the values differ by less than the margin"
        if not self._differ(one.decision.action, other.decision.action, state.before.tools):
            return "both do the same"
        return ""


def _option(step: Step) -> Option:
    return Option(step.decision, step.category, step.reward)
