"""Tools: what an agent can do. Each has a spec and answers calls.

Nothing leaves one but `ToolError`, which the agent gets to read, and the failures of what stands behind a tool
(`RetrieverError`, `ToolServerError`, `DataError`), which end the episode and are no fault of the agent's.
"""

from __future__ import annotations

from typing import Any, Protocol

from agentbench.types import Observation, ToolSpec


class Tool(Protocol):
    """One tool of one episode."""

    @property
    def spec(self) -> ToolSpec:
        """What the agent is told."""
        ...

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The result for arguments that satisfy `spec.parameters` (the environment has checked them).

        Raises:
            ToolError: the call cannot be carried out; the message is shown to the agent.
        """
        ...
