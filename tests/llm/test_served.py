"""A model on a server answers as one in this process would: in our tokenizer's words, within the context."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from agentbench.errors import LlmError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.served import DecodedLlm, FittingLlm
from agentbench.types import Generation


class Says:
    """A model behind a server that gives these ids, and a text of its own."""

    def __init__(self, ids: tuple[int, ...]) -> None:
        self._ids = ids
        self.closed = False
        self.asked: list[Request] = []

    async def generate(self, request: Request) -> Generation:
        self.asked.append(request)
        return Generation(request.role, "the server's text", completion_ids=self._ids)

    async def close(self) -> None:
        self.closed = True


def letters(ids: Sequence[int]) -> str:
    """0 is `a`; 26 is no letter."""
    return "".join(chr(97 + index) if index < 26 else "�" for index in ids)


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ((0, 1, 25), "ab"),  # 25, which is `z`, ends a completion
        ((0, 1, 26), "ab�"),  # cut in the middle of a character
        ((0, 25, 1), "azb"),  # only at its end
        ((0, 1, 23, 24, 2), "ab"),  # "xy" is a text that ends one
        ((), "the server's text"),
    ],
)
def test_the_ids_say_what_was_said(ids: tuple[int, ...], text: str) -> None:
    llm = DecodedLlm(Says(ids), letters, {25: "z"})
    request = Request(Prompt(ids=(1,)), Sampling(), 0, stop=("xy",))
    found = asyncio.run(llm.generate(request))
    assert (found.completion, found.completion_ids) == (text, ids)


@pytest.mark.parametrize(("prompt", "room"), [(10, 20), (85, 15), (99, 1)])
def test_a_completion_is_kept_within_the_context(prompt: int, room: int) -> None:
    behind = Says(())
    llm = FittingLlm(behind, context=100)
    asyncio.run(llm.generate(Request(Prompt(ids=(1,) * prompt), Sampling(max_tokens=20), 0)))
    assert behind.asked[0].sampling.max_tokens == room  # at most 100 - prompt


def test_a_prompt_that_leaves_no_room_is_told() -> None:
    llm = FittingLlm(Says(()), context=100)
    with pytest.raises(LlmError, match="the prompt has 100 tokens and the model's context 100"):
        asyncio.run(llm.generate(Request(Prompt(ids=(1,) * 100), Sampling(), 0)))


def test_it_closes_what_is_behind_it() -> None:
    behind = Says(())
    asyncio.run(FittingLlm(DecodedLlm(behind, letters, {}), context=100).close())
    assert behind.closed
