"""Asks for the expert where the agent does not agree with itself: samples of the same state that do different things.

What it does not see: an agent that is sure and wrong. Votes cost tokens of the agent's model, which are accounted to
the role `vote` and are in no training row.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence

from agentbench.policies import Policy
from agentbench.policies.triggers import Verdict
from agentbench.types import Action, Decision, Generation, History, Malformed, ToolSpec

DISAGREEMENT = "disagreement"
"""The reason that stands on the expert's steps."""
VOTE = "vote"
"""The role of the further samples."""

Differ = Callable[[Action, Action, tuple[ToolSpec, ...]], bool]
"""Whether two actions in the same state do different things."""


class Disagreement:
    """Samples the agent's step again; `threshold` is the share of samples, in (0, 1], that have to differ from it."""

    def __init__(self, voters: Sequence[Policy], differ: Differ, threshold: float) -> None:
        self._voters = voters
        self._differ = differ
        self._threshold = threshold

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """`disagreement` where enough samples differ in effect; all samples are drawn at the same time.

        Raises:
            LlmError: the agent's model could not answer.
        """
        votes = await asyncio.gather(*(voter.act(history) for voter in self._voters))
        others = sum(self._dissents(proposed.action, vote.action, history.tools) for vote in votes)
        reason = DISAGREEMENT if others / len(votes) >= self._threshold else ""
        said = tuple(_vote(generation) for vote in votes for generation in vote.generations)
        return Verdict(reason, said, f"{others} of {len(votes)} further samples do something else")

    def _dissents(self, proposed: Action, vote: Action, tools: tuple[ToolSpec, ...]) -> bool:
        """A vote that cannot be read speaks for nothing, not even for a proposal that cannot be read either."""
        return isinstance(vote, Malformed) or self._differ(proposed, vote, tools)


def _vote(generation: Generation) -> Generation:
    return dataclasses.replace(generation, role=VOTE)
