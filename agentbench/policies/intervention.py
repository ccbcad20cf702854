"""An agent with an expert at its side, as one policy. Nothing else in the code knows that experts exist."""

from __future__ import annotations

import dataclasses

from agentbench.policies import Policy
from agentbench.policies.triggers import Trigger, Verdict
from agentbench.types import Actor, Alternative, Decision, History


class Intervention:
    """The agent proposes, the trigger decides, and the expert's action is executed where it steps in.

    With `keep_alternative` each decision also holds what the other actor would have done in the same state, so a
    step-level preference can be read off wherever the two differ.
    """

    def __init__(self, agent: Policy, expert: Policy, trigger: Trigger, keep_alternative: bool) -> None:
        self._agent = agent
        self._expert = expert
        self._trigger = trigger
        self._keep_alternative = keep_alternative

    async def act(self, history: History) -> Decision:
        """The agent's decision, or the expert's with the agent's as an alternative.

        Raises:
            LlmError: a model behind the agent or the expert could not answer.
        """
        proposed = await self._agent.act(history)
        verdict = await self._trigger(history, proposed)
        if not verdict.reason and not self._keep_alternative:
            return _heard(proposed, verdict)
        expert = await self._expert.act(history)
        if verdict.reason:
            return _with_alternative(expert, proposed, verdict)
        return _with_alternative(proposed, expert, verdict)


def _heard(proposed: Decision, verdict: Verdict) -> Decision:
    if not verdict.generations and not verdict.note:
        return proposed
    said = (*proposed.generations, *verdict.generations)
    return dataclasses.replace(proposed, generations=said, note=verdict.note)


def _with_alternative(chosen: Decision, other: Decision, verdict: Verdict) -> Decision:
    return dataclasses.replace(
        chosen,
        alternatives=(Alternative(other.actor, other.action),),
        generations=(*chosen.generations, *other.generations, *verdict.generations),
        reason=verdict.reason if chosen.actor is Actor.EXPERT else "",
        note=verdict.note,
    )
