"""A small random model in float64, and ways of asking it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.hf import HfLlm
from agentbench.types import Generation

STOP_IDS = (3, 7)
CONTEXT = 96


def qwen(seed: int = 0) -> Qwen3ForCausalLM:
    """A random model whose next token is anything but certain."""
    torch.manual_seed(seed)
    config = Qwen3Config(
        vocab_size=60,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=CONTEXT,
    )
    model = Qwen3ForCausalLM(config).double().eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(30)
    return model


def letters(ids: Sequence[int]) -> str:
    """Each id as one character: 0 is `A`."""
    return "".join(chr(65 + index) for index in ids)


def use(model: PreTrainedModel, do: Any, max_batch: int = 64, prefix_bytes: int = 2**20) -> Any:
    """What a coroutine function makes of an `HfLlm`, which is closed afterwards."""

    async def main() -> Any:
        llm = HfLlm(model, letters, STOP_IDS, max_batch=max_batch, prefix_bytes=prefix_bytes)
        try:
            return await do(llm)
        finally:
            await llm.close()

    return asyncio.run(main())


def together(model: PreTrainedModel, requests: Sequence[Request], max_batch: int = 64) -> list[Generation]:
    """All requests at once."""

    async def ask(llm: HfLlm) -> list[Generation]:
        return await asyncio.gather(*(llm.generate(request) for request in requests))

    return use(model, ask, max_batch)


def one_by_one(model: PreTrainedModel, requests: Sequence[Request]) -> list[Generation]:
    """Each request when the one before is answered."""

    async def ask(llm: HfLlm) -> list[Generation]:
        return [await llm.generate(request) for request in requests]

    return use(model, ask)


def prompts(sampling: Sampling, count: int = 40) -> list[Request]:
    """Requests with prompts of 1 to 60 random tokens."""
    draw = random.Random(1)
    lengths = [draw.randint(1, 60) for _ in range(count)]
    return [
        Request(Prompt(ids=tuple(draw.randrange(60) for _ in range(length))), sampling, seed)
        for seed, length in enumerate(lengths)
    ]


def recorded(generations: Sequence[Generation]) -> list[Any]:
    """All that must be equal from run to run."""
    return [(it.completion, it.completion_ids, it.logprobs, it.finish_reason, it.usage) for it in generations]
