"""A model on a server of our own, made to answer as it would in this process.

Of what a server sampled, the ids are the truth, and two servers need not make the same text of them: vLLM holds back a
character whose last bytes were never sampled, and transformers writes U+FFFD for it. An agent's action is read from the
text, so the same tokens would lead to different episodes. And where the context has less room than a completion may
take, vLLM refuses the request, while `hf` lets the completion be cut.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Sequence

from agentbench.errors import LlmError
from agentbench.llm import Llm, Request
from agentbench.types import Generation


class ServedLlm:
    """An `Llm` whose completions fit the context and are decoded from their ids."""

    def __init__(
        self, llm: Llm, decode: Callable[[Sequence[int]], str], stop_ids: Collection[int], *, context: int
    ) -> None:
        """`decode` gives the text of ids, control tokens included; any of `stop_ids` ends a completion; `context` is
        the longest prompt with its completion, in tokens."""
        self._llm = llm
        self._decode = decode
        self._stop_ids = frozenset(stop_ids)
        self._context = context

    async def generate(self, request: Request) -> Generation:
        """The completion of one request, without the text that ended it.

        Raises:
            LlmError: the prompt leaves no room, or as the model behind it does.
        """
        generation = await self._llm.generate(self._fitting(request))
        ids = generation.completion_ids
        if not ids:
            return generation
        text = self._decode(ids[:-1] if ids[-1] in self._stop_ids else ids)
        ends = [place for stop in request.stop if (place := text.find(stop)) >= 0]
        return dataclasses.replace(generation, completion=text[: min(ends, default=len(text))])

    async def close(self) -> None:
        """Closes the model behind it."""
        await self._llm.close()

    def _fitting(self, request: Request) -> Request:
        length = len(request.prompt.ids)
        room = self._context - length
        if room < 1:
            problem = f"the prompt has {length} tokens and the model's context {self._context}"
            raise LlmError(problem, "lower env.horizon or env.shown_values, or raise serve.max_length")
        limit = min(request.sampling.max_tokens, room)
        return dataclasses.replace(request, sampling=dataclasses.replace(request.sampling, max_tokens=limit))
