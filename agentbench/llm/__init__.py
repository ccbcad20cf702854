"""Models behind one protocol: a prompt goes in, a `Generation` comes out.

`openai.py` speaks to any OpenAI-compatible server (`http_server.py` makes single attempts, `faults.py` says what is
worth another one, `breaker.py` waits for a server that is down), `hf.py` runs transformers in this process,
`scripted.py` replays fixed completions in tests. `fleet.py` is several servers as one model, `served.py` lets a server
answer as this process would, `cache.py` keeps the answers of any of them, `structured.py` asks one for JSON objects,
`quoting.py` puts other people's text into a prompt, `base_model.py` tells weights apart.
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
    top_k: int | None = None
    """Draw from the `top_k` likeliest tokens."""
    min_p: float | None = None
    """Draw from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: float | None = None
    """Divides the logits of tokens that stand in prompt or completion already; above 1 discourages them."""
    presence_penalty: float | None = None
    """Taken off the logits of tokens that stand in the completion already."""
    frequency_penalty: float | None = None
    """Taken off once for every time that a token stands in the completion already."""

    @property
    def uncommon(self) -> dict[str, float | None]:
        """The parameters that only some engines know, by the names that servers have for them; `None` is off."""
        return {
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
        }


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
    episode: int | None = None
    """Whose request it is: prompts of one episode begin alike, so one of several servers should get them all."""


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
