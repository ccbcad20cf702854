"""Scorers judge a finished trajectory from its record alone, so anything can be scored again from disk."""

from __future__ import annotations

from typing import Protocol

from agentbench.types import Score, Trajectory


class Scorer(Protocol):
    """Pure: the same trajectory gives the same score."""

    def score(self, trajectory: Trajectory) -> Score:
        """The verdict; `value` is `None` where the scorer cannot judge."""
        ...
