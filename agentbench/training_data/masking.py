"""Which steps of a trajectory carry loss."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from agentbench.training_data.transcript import Move
from agentbench.types import StepCategory


def trained(moves: Sequence[Move], suboptimal: Collection[StepCategory], last_only: bool) -> tuple[bool, ...]:
    """For each step, whether its tokens carry loss: not if its category is suboptimal, or if only the last one does."""
    last = len(moves) - 1
    return tuple(
        move.category not in suboptimal and (place == last or not last_only) for place, move in enumerate(moves)
    )
