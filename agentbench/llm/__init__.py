"""Models behind one protocol: a prompt goes in, a `Generation` comes out.

`openai.py` speaks to any OpenAI-compatible server, `hf.py` runs transformers in this process,
`scripted.py` replays fixed completions in tests. `cache.py` keeps the answers of any of them, `structured.py` asks one
for JSON objects, `quoting.py` puts other people's text into a prompt.
"""

from __future__ import annotations

from typing import Any, Protocol

from agentbench.types import Generation, record


@record
class Prompt:
    """What a template makes of a history, in exactly one of two shapes.

    A template that owns its tokens fills `ids` (and `text`, the same thing for people and for servers that
    take no ids); a plain chat template fills `messages` and `tools` and leaves the tokens to the server.
    """

    text: str = ""
    ids: tuple[int, ...] = ()
    messages: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    """Tool declarations in the OpenAI chat-completions form, beside `messages`."""


@record
class Sampling:
    """How completions are drawn. Temperature 0 is greedy."""

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 256


@record
class Request:
    """One completion to draw. The same request with the same seed gives the same completion."""

    prompt: Prompt
    sampling: Sampling
    seed: int
    stop: tuple[str, ...] = ()
    """Texts that end a completion; the ending text is not part of `Generation.completion`, its ids are part of
    `completion_ids` where the model sampled them as one control token."""
    role: str = "agent"
    schema: dict[str, Any] | None = None
    """JSON Schema that the completion has to satisfy, enforced by servers that can; `None`: free text."""


class Llm(Protocol):
    """A model that answers requests; many may be awaited at once."""

    async def generate(self, request: Request) -> Generation:
        """The completion of one request.

        Raises:
            LlmError: the model could not answer, after the retries the implementation makes.
        """
        ...

    async def close(self) -> None:
        """Frees connections, threads and memory; afterwards `generate` may not be called."""
        ...
