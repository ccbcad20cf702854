"""When the expert steps in: a trigger gives the reason, or an empty one for "not now".

Triggers see the history and the decision the agent proposes. The expert modes are these triggers, and nothing else.
"""

from __future__ import annotations

import random
from typing import NamedTuple, Protocol

from agentbench.types import Actor, Decision, Final, Generation, History


class Verdict(NamedTuple):
    """Why the expert takes a step; an empty reason when the agent may."""

    reason: str = ""
    generations: tuple[Generation, ...] = ()
    """What a model said on the way to it, kept for accounting."""
    note: str = ""
    """What the trigger saw, in words; also where the agent may."""


FINE = Verdict()
TOO_EARLY = "answers_too_early"
OBEYING = "obeying"
"""The agent does what a text planted into a result asks for."""
HEEDED = (TOO_EARLY, OBEYING)
"""The reasons that are heeded even in the agent's first, free steps where it answers: afterwards nobody can step in."""


class Overseer(Protocol):
    """Says why an agent is stuck."""

    async def stuck(self, history: History, proposed: Decision) -> Verdict:
        """The reason; empty when the agent is doing well.

        Raises:
            LlmError: a model behind the overseer could not answer.
        """
        ...


class Trigger(Protocol):
    """Decides for one step of one episode."""

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """Why the expert takes this step; empty when the agent may.

        Raises:
            LlmError: a model behind the trigger could not answer.
        """
        ...


class Never:
    """The agent is alone."""

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """Always empty."""
        return FINE


class Always:
    """The expert takes every step."""

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """Always the same reason."""
        return Verdict("ground_truth")


class Coin:
    """The expert takes each step with probability `probability`, drawn from the episode's own generator."""

    def __init__(self, probability: float, rng: random.Random) -> None:
        self._probability = probability
        self._rng = rng

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """`random` or empty, one draw per step."""
        return Verdict("random") if self._rng.random() < self._probability else FINE


class Budgeted:
    """Another trigger until the expert has taken `steps` steps of the episode; then the agent is left alone.

    A spent budget costs nothing more: the other trigger is not even asked.
    """

    def __init__(self, trigger: Trigger, steps: int) -> None:
        self._trigger = trigger
        self._steps = steps

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """The other trigger's verdict while steps are left."""
        taken = sum(step.decision.actor is Actor.EXPERT for step in history.steps)
        if taken >= self._steps:
            return Verdict(note=f"the budget of {self._steps} expert steps is spent")
        return await self._trigger(history, proposed)


class Stuck:
    """The expert steps in where an overseer finds the agent stuck, after `init_limit` steps of freedom."""

    def __init__(self, init_limit: int, overseer: Overseer, exploration: Coin) -> None:
        self._init_limit = init_limit
        self._overseer = overseer
        self._exploration = exploration

    async def __call__(self, history: History, proposed: Decision) -> Verdict:
        """The overseer's reason, or `random` from the exploration coin.

        An answer always counts as past the freedom: once it is given, nobody can step in any more.
        """
        drawn = await self._exploration(history, proposed)
        agent_steps = sum(step.decision.actor is Actor.AGENT for step in history.steps)
        free = agent_steps < self._init_limit
        if drawn.reason or (free and not isinstance(proposed.action, Final)):
            return drawn  # an overseer may be a model, and is only asked where its word counts
        verdict = await self._overseer.stuck(history, proposed)
        return verdict._replace(reason="") if free and verdict.reason not in HEEDED else verdict
