"""Scorers judge a finished trajectory from its record alone, so anything can be scored again from disk.

Several scores may come out of one look: a verdict, and the parts it was made of.
"""

from __future__ import annotations

from typing import Protocol

from agentbench.types import Score, Trajectory


class Scorer(Protocol):
    """Reads nothing but the trajectory; one that computes gives the same scores for the same trajectory."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """The verdicts; a `value` is `None`, with the cause as explanation, where the scorer cannot judge."""
        ...
