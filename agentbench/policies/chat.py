"""The plainest agent: one completion per step, read as one action."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agentbench.llm import Llm, Request, Sampling
from agentbench.templates import Rendered, Template
from agentbench.types import Actor, Decision, History

AGENT_PROMPT = Path(__file__).parent / "prompts" / "agent.txt"
"""The instructions an agent gets where the configuration names no others."""
CALLS_PROMPT = AGENT_PROMPT.with_name("calls.txt")
"""Those of one that says all calls at once."""
SERVICE_PROMPT = AGENT_PROMPT.with_name("service.txt")
"""Those of one that serves a customer in conversation."""
CODER_PROMPT = Path(__file__).parent / "prompts" / "coder.txt"
"""Those of agents that act by code."""


class ChatAgent:
    """Renders the history, asks the model, parses the completion.

    It keeps its latest prompt, to which the next one adds; the history is all that decides.
    """

    def __init__(self, llm: Llm, template: Template, sampling: Sampling, seed: int, stop: tuple[str, ...] = ()) -> None:
        """`stop`: texts that end a completion, beside the template's own."""
        self._llm = llm
        self._template = template
        self._sampling = sampling
        self._seed = seed
        self._stop = (*template.stop, *stop)
        self._latest: Rendered | None = None

    async def act(self, history: History) -> Decision:
        """What the model does next; unreadable text becomes a `Malformed` action.

        Raises:
            LlmError: the model could not answer.
        """
        self._latest = Rendered(history, self._template.render(history, self._latest))
        request = Request(
            prompt=self._latest.prompt,
            sampling=self._sampling,
            seed=step_seed(self._seed, len(history.steps)),
            stop=self._stop,
            episode=self._seed,
        )
        generation = await self._llm.generate(request)
        action = self._template.read(generation)
        return Decision(action, Actor.AGENT, generations=(generation,))


def step_seed(seed: int, step: int) -> int:
    """A 63-bit seed of its own for every step of an episode, the same on every machine."""
    digest = hashlib.blake2b(f"{seed}:{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
