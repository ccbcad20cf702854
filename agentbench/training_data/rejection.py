"""Which episodes of a rollout are worth imitating: those that succeeded, each way of doing so once.

Success is the scorer's verdict on what the environment recorded; what the model says of itself is never looked at.
Ways are told apart by their actions, as Yuan et al. (2023, §3.3) tell reasoning paths apart by their equations: two
episodes that only think differently, or repeat each other, count once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from agentbench.types import Action, CallTools, EndReason, Final, Malformed, Trajectory

Key = tuple[str, int]
"""Task and sample of an episode."""


class Accepted(NamedTuple):
    """What of a rollout is kept, and out of how much."""

    kept: frozenset[Key]
    episodes: int
    """Those that ended without an error."""
    successful: int
    distinct: int
    """Different ways among the successful ones of each task, before any limit."""

    def figures(self) -> dict[str, float]:
        """Shares in [0, 1]: kept among all episodes, and different among successful ones; 0 where there are none."""
        return {
            "kept": len(self.kept),
            "kept_share": len(self.kept) / max(1, self.episodes),
            "distinct_share": self.distinct / max(1, self.successful),
        }


def accepted(trajectories: Sequence[Trajectory], most_per_task: int) -> Accepted:
    """The successful episodes with different actions, the first `most_per_task` of each task."""
    ended = [trajectory for trajectory in trajectories if trajectory.end is not EndReason.ERROR]
    successful = [trajectory for trajectory in ended if trajectory.success]
    ways: dict[str, dict[bytes, Key]] = {}
    for trajectory in successful:
        key = (trajectory.task.id, trajectory.sample)
        ways.setdefault(trajectory.task.id, {}).setdefault(actions_of(trajectory), key)
    kept = frozenset(key for found in ways.values() for key in list(found.values())[:most_per_task])
    return Accepted(kept, len(ended), len(successful), sum(map(len, ways.values())))


def actions_of(trajectory: Trajectory) -> bytes:
    """What was done, without thoughts and observations; equal where every action is."""
    done = [_done(step.decision.action) for step in trajectory.history.steps]
    return orjson.dumps(done, option=orjson.OPT_SORT_KEYS)


def _done(action: Action) -> list[object]:
    match action:
        case CallTools(calls=calls):
            return [[call.name, call.arguments] for call in calls]
        case Final(answer=answer):
            return ["final", answer]
        case Malformed(text=text):
            return ["malformed", text]
