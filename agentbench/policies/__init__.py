"""Policies decide what to do next. They see a history and nothing else."""

from __future__ import annotations

from typing import Protocol

from agentbench.types import Decision, History

OWN_ROLES = frozenset({"agent", "planner", "caller", "perception"})
"""Roles in which the agent under study speaks (`Generation.role`)."""


class Policy(Protocol):
    """One actor in one episode."""

    async def act(self, history: History) -> Decision:
        """The next decision.

        Raises:
            LlmError: a model behind the policy could not answer.
        """
        ...
