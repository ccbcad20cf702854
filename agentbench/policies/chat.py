"""The plainest agent: one completion per step, read as one action."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agentbench.llm import Llm, Request, Sampling
from agentbench.templates import Template
from agentbench.types import Actor, Decision, History

AGENT_PROMPT = Path(__file__).parent / "prompts" / "agent.txt"
"""The instructions an agent gets where the configuration names no others."""


class ChatAgent:
    """Renders the history, asks the model, parses the completion. Keeps no state: the history is all there is."""

    def __init__(self, llm: Llm, template: Template, sampling: Sampling, seed: int) -> None:
        self._llm = llm
        self._template = template
        self._sampling = sampling
        self._seed = seed

    async def act(self, history: History) -> Decision:
        """What the model does next; unreadable text becomes a `Malformed` action.

        Raises:
            LlmError: the model could not answer.
        """
        request = Request(
            prompt=self._template.render(history),
            sampling=self._sampling,
            seed=step_seed(self._seed, len(history.steps)),
            stop=self._template.stop,
        )
        generation = await self._llm.generate(request)
        action = self._template.parse(generation.completion)
        return Decision(action, Actor.AGENT, generations=(generation,))


def step_seed(seed: int, step: int) -> int:
    """A 63-bit seed of its own for every step of an episode, the same on every machine."""
    digest = hashlib.blake2b(f"{seed}:{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
