"""When the expert steps in: a trigger gives the reason, or an empty text for "not now".

Triggers see the history and the decision the agent proposes. The four expert modes are these four triggers.
"""

from __future__ import annotations

import random
from typing import Protocol

from agentbench.types import Actor, Decision, History


class Overseer(Protocol):
    """Says why an agent is stuck."""

    def stuck(self, history: History, proposed: Decision) -> str:
        """The reason; empty when the agent is doing well."""
        ...


class Trigger(Protocol):
    """Decides for one step of one episode."""

    def __call__(self, history: History, proposed: Decision) -> str:
        """Why the expert takes this step; empty when the agent may."""
        ...


class Never:
    """The agent is alone."""

    def __call__(self, history: History, proposed: Decision) -> str:
        """Always empty."""
        return ""


class Always:
    """The expert takes every step."""

    def __call__(self, history: History, proposed: Decision) -> str:
        """Always the same reason."""
        return "ground_truth"


class Coin:
    """The expert takes each step with probability `probability`, drawn from the episode's own generator."""

    def __init__(self, probability: float, rng: random.Random) -> None:
        self._probability = probability
        self._rng = rng

    def __call__(self, history: History, proposed: Decision) -> str:
        """`random` or empty, one draw per step."""
        return "random" if self._rng.random() < self._probability else ""


class Stuck:
    """The expert steps in where an overseer finds the agent stuck, after `init_limit` steps of freedom."""

    def __init__(self, init_limit: int, overseer: Overseer, exploration: Coin) -> None:
        self._init_limit = init_limit
        self._overseer = overseer
        self._exploration = exploration

    def __call__(self, history: History, proposed: Decision) -> str:
        """The overseer's reason, or `random` from the exploration coin.

        An answer always counts as past the freedom: once it is given, nobody can step in any more.
        """
        drawn = self._exploration(history, proposed)
        agent_steps = sum(step.decision.actor is Actor.AGENT for step in history.steps)
        free = agent_steps < self._init_limit
        reason = self._overseer.stuck(history, proposed)
        return drawn or ("" if free and reason != "answers_too_early" else reason)
