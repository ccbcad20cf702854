"""Environments: a task is reset into them, actions are stepped through them."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Protocol

from agentbench.types import Action, Observation, Task, ToolSpec, record


class Restoring(StrEnum):
    """How an environment can be brought back to a state it has left."""

    FORK = "fork"
    """`fork` copies it."""
    REPLAY = "replay"
    """A fresh one answers the same actions alike; whoever repeats them has to compare."""
    NEVER = "never"
    """What stands behind it cannot be reset, or nobody knows."""


@record
class EnvStep:
    """An environment's answer to one action. `terminated`: the task ended; `truncated`: the environment stopped it."""

    observation: Observation
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False


class Environment(Protocol):
    """Made for one episode, then closed and thrown away."""

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools the agent is shown; known after `reset`."""
        ...

    @property
    def restoring(self) -> Restoring:
        """How the state of an episode can be had again."""
        ...

    async def reset(self, task: Task) -> Observation:
        """Starts the episode; the observation is what the user says first."""
        ...

    async def step(self, action: Action) -> EnvStep:
        """Carries out one action. Misuse is an observation with its outcome, never an exception."""
        ...

    async def fork(self) -> Environment:
        """A copy of the episode as it stands; neither sees what is done in the other afterwards.

        Raises:
            NotImplementedError: `restoring` is not FORK.
        """
        ...

    def evidence(self) -> dict[str, Any]:
        """What only the environment knows at the end, for scorers."""
        ...

    async def close(self) -> None:
        """Frees what the episode held."""
        ...
