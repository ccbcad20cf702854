"""Trajectory preferences: of two ways through one task, the successful one, then the one with the higher return.

Walks of a task are put on a shelf first, as text, because the two of a pair may stand in different files and far
apart; pairs are then made task by task. The prompt is the opening both share, the completion all that follows it, and
the masks cover the actors' own tokens: tool results inside a completion carry no loss.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from random import Random
from typing import NamedTuple

from agentbench.config.prefs import TrajectoryPrefs
from agentbench.training_data.masking import trained
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.transcript import Move, Transcriber, Transcript, moves_text, opening_and, tools_text
from agentbench.types import EndReason, Score, Step, Trajectory, record


@record
class Walk:
    """One way through a task, from the opening to an end that was judged."""

    task: str
    domain: str
    side: int
    """0 for trajectories, 1 for those they are set against."""
    success: bool
    total: float
    """Sum of its rewards."""
    tools: str
    text: Transcript


class Walks:
    """Takes trajectories apart into walks and counts in `dropped` those of no use."""

    def __init__(self, config: TrajectoryPrefs, transcriber: Transcriber) -> None:
        self.dropped: Counter[str] = Counter()
        self._branches = config.branches
        self._transcriber = transcriber

    def walks(self, trajectory: Trajectory, side: int) -> Iterator[Walk]:
        """The trajectory's own walk, then those of its branches."""
        tools = tools_text(trajectory.history.tools)
        ends = _ends((), _End(trajectory.history.steps, trajectory.end, trajectory.scores))
        for number, end in enumerate(ends):
            if number and not self._branches:
                return
            reason = _unusable(end)
            if reason:
                self.dropped[reason] += 1
                continue
            history = dataclasses.replace(trajectory.history, steps=end.steps)
            yield Walk(
                trajectory.task.id,
                trajectory.task.domain,
                side,
                success=_answered(end.scores) == 1.0,
                total=math.fsum(step.reward for step in end.steps),
                tools=tools,
                text=self._transcriber.transcript(history),
            )


class TrajectoryPairs:
    """Makes the pairs of one task after the other, and counts in `dropped` why others are left out."""

    def __init__(self, config: TrajectoryPrefs, against: bool, seed: int) -> None:
        """With `against`, a pair has one walk of either side."""
        self.dropped: Counter[str] = Counter()
        self._config = config
        self._against = against
        self._seed = seed

    def rows(self, walks: Sequence[Walk]) -> Iterator[PreferenceRow]:
        """The pairs among the walks of one task, without id, in an order drawn by the seed: any few are a sample."""
        pairs = [pair for pair in combinations(walks, 2) if not self._against or pair[0].side != pair[1].side]
        if not pairs:
            self.dropped["tasks with nothing to compare"] += 1
        Random(f"{self._seed}/{walks[0].task}").shuffle(pairs)
        for one, other in pairs:
            chosen, rejected = sorted((one, other), key=_worth, reverse=True)
            reason = self._reason_against(chosen, rejected)
            row = None if reason else self._row(chosen, rejected)
            if row is None:
                self.dropped[reason or "a side without a token that carries loss"] += 1
            else:
                yield row

    def _reason_against(self, chosen: Walk, rejected: Walk) -> str:
        """Why two walks make no pair; empty where they do."""
        if not _same_opening(chosen, rejected):
            return "the openings differ: other tools, rules or question"
        if list(map(_text, chosen.text.moves)) == list(map(_text, rejected.text.moves)):
            return "both do the same"
        if chosen.success != rejected.success:
            return ""
        if not self._config.same_outcome:
            return "the outcome is the same"
        gap = chosen.total - rejected.total
        return "" if gap > 0 and gap >= self._config.margin else "the returns differ by less than the margin"

    def _row(self, chosen: Walk, rejected: Walk) -> PreferenceRow | None:
        """The pair; `None` where a side has nothing that carries loss."""
        shared = _shared_moves(chosen.text, rejected.text) if self._config.shared_steps_in_prompt else 0
        prompt = opening_and(chosen.text, shared)
        better, worse = chosen.text.moves[shared:], rejected.text.moves[shared:]
        bad = self._config.suboptimal if self._config.mask_suboptimal_traces else ()
        loss = trained(better, bad, self._config.mask_history), trained(worse, (), self._config.mask_history)
        if not any(loss[0]):
            return None
        ours, theirs = moves_text(better, loss[0]), moves_text(worse, loss[1])
        return PreferenceRow(
            id="",
            task=chosen.task,
            domain=chosen.domain,
            kind="higher_return" if chosen.success == rejected.success else "success_over_failure",
            margin=chosen.total - rejected.total,
            chosen_category=better[-1].category,
            rejected_category=worse[-1].category,
            template="",
            tools=chosen.tools,
            prompt=prompt.messages,
            chosen=ours.messages,
            rejected=theirs.messages,
            prompt_ids=prompt.ids,
            chosen_ids=ours.ids,
            chosen_mask=ours.mask,
            rejected_ids=theirs.ids,
            rejected_mask=theirs.mask,
        )


class _End(NamedTuple):
    steps: tuple[Step, ...]
    end: EndReason
    scores: tuple[Score, ...]


def _ends(before: tuple[Step, ...], path: _End) -> Iterator[_End]:
    """A path from the opening, then all that branch off it."""
    yield path._replace(steps=(*before, *path.steps))
    for place, step in enumerate(path.steps):
        for branch in step.branches:
            yield from _ends((*before, *path.steps[:place]), _End(branch.steps, branch.end, branch.scores))


def _unusable(end: _End) -> str:
    if end.end is EndReason.ERROR:
        return "trajectories that ended with an error"
    if not end.steps:
        return "trajectories without a step"
    return "trajectories that were not judged" if _answered(end.scores) is None else ""


def _answered(scores: tuple[Score, ...]) -> float | None:
    return next((score.value for score in scores if score.name == "answer"), None)


def _worth(walk: Walk) -> tuple[bool, float]:
    return walk.success, walk.total


def _same_opening(one: Walk, other: Walk) -> bool:
    mine, theirs = (
        (one.text.opening_ids, one.text.opening_messages),
        (other.text.opening_ids, other.text.opening_messages),
    )
    return mine == theirs and one.tools == other.tools


def _shared_moves(one: Transcript, other: Transcript) -> int:
    """Steps with which both begin, what came back included; each keeps one step at least."""
    most = min(len(one.moves), len(other.moves)) - 1
    pairs = zip(one.moves[:most], other.moves[:most], strict=True)
    return next((place for place, (mine, theirs) in enumerate(pairs) if _text(mine) != _text(theirs)), most)


def _text(move: Move) -> tuple[object, ...]:
    return move.ids, move.messages, move.seen_ids, move.seen_messages
