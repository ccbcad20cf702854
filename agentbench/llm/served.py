"""A model on a server, made to answer as it would in this process.

Of what a server sampled, the ids are the truth, and two servers need not make the same text of them: vLLM holds back a
character whose last bytes were never sampled, and transformers writes U+FFFD for it; others cut control tokens out. An
agent's action is read from the text, so the same tokens would lead to different episodes. And where the context has
less room than a completion may take, vLLM refuses the request, while `hf` lets the completion be cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

from agentbench.errors import LlmError
from agentbench.llm import Llm, Request
from agentbench.types import Generation


class DecodedLlm:
    """An `Llm` whose completions are decoded from their ids; a server that gives none is taken at its word."""

    def __init__(self, llm: Llm, decode: Callable[[tuple[int, ...]], str], stop: Mapping[int, str]) -> None:
        """`decode` gives the text of ids, control tokens included; `stop` are tokens that end a completion, by id."""
        self._llm = llm
        self._decode = decode
        self._stop = stop

    async def generate(self, request: Request) -> Generation:
        """The completion of one request, without the text that ended it.

        Raises:
            LlmError: as the model behind it does.
        """
        generation = await self._llm.generate(request)
        ids = generation.completion_ids
        if not ids:
            return generation
        text = self._decode(ids).removesuffix(self._stop.get(ids[-1], ""))
        ends = [place for stop in request.stop if (place := text.find(stop)) >= 0]
        said = text[: min(ends)] if ends else text
        return generation if said == generation.completion else dataclasses.replace(generation, completion=said)

    async def close(self) -> None:
        """Closes the model behind it."""
        await self._llm.close()


class FittingLlm:
    """An `Llm` whose completions end where the context does."""

    def __init__(self, llm: Llm, *, context: int) -> None:
        """`context` is the longest prompt with its completion, in tokens."""
        self._llm = llm
        self._context = context

    async def generate(self, request: Request) -> Generation:
        """The completion of one request.

        Raises:
            LlmError: the prompt leaves no room, or as the model behind it does.
        """
        length = len(request.prompt.ids)
        room = self._context - length
        if room < 1:
            problem = f"the prompt has {length} tokens and the model's context {self._context}"
            raise LlmError(problem, "lower env.horizon or env.shown_values, or raise serve.max_length")
        if request.sampling.max_tokens > room:
            cut = dataclasses.replace(request.sampling, max_tokens=room)
            request = dataclasses.replace(request, sampling=cut)
        return await self._llm.generate(request)

    async def close(self) -> None:
        """Closes the model behind it."""
        await self._llm.close()
