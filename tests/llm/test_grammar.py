"""Completions that are held to a JSON Schema in this process: a random model, a real grammar engine."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import pytest
import torch
from jsonschema import Draft202012Validator
from transformers import Qwen3Config, Qwen3ForCausalLM

from agentbench.errors import LlmError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.grammar import Guides
from agentbench.llm.hf import HfLlm
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import Generation
from tests.templates.conftest import QWEN_TOKENS, byte_level

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "task": {"type": "string", "maxLength": 30},
        "tool": {"enum": ["calculator", "search"]},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 4}, "maxItems": 3},
        "count": {"type": "integer"},
    },
    "required": ["task", "tool", "tags", "count"],
    "additionalProperties": False,
}
END = "<|im_end|>"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return byte_level(QWEN_TOKENS)


@pytest.fixture(scope="module")
def model(tokenizer: Tokenizer) -> Qwen3ForCausalLM:
    torch.manual_seed(0)
    config = Qwen3Config(
        vocab_size=tokenizer.size + 10,  # more logits than tokens, as models have them
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        max_position_embeddings=1024,
    )
    return Qwen3ForCausalLM(config).double().eval()


def drawn(model: Qwen3ForCausalLM, tokenizer: Tokenizer, requests: list[Request]) -> list[Generation]:
    async def main() -> list[Generation]:
        stop = tokenizer.id_of(END)
        assert stop is not None
        guides = Guides(tokenizer.description, model.config.vocab_size, stop)
        llm = HfLlm(model, tokenizer.decode, [stop], max_batch=64, prefix_bytes=0, guides=guides)
        try:
            return await asyncio.gather(*map(llm.generate, requests))
        finally:
            await llm.close()

    return asyncio.run(main())


def request(tokenizer: Tokenizer, seed: int, schema: dict[str, Any] | None, temperature: float = 1.0) -> Request:
    prompt = Prompt(ids=tokenizer.encode("Who?", control=False))
    return Request(prompt, Sampling(temperature, 1.0, 700 if schema else 20), seed, schema=schema)


def test_whatever_an_untrained_model_says_satisfies_the_schema(model: Qwen3ForCausalLM, tokenizer: Tokenizer) -> None:
    said = drawn(model, tokenizer, [request(tokenizer, seed, SCHEMA, 1.0 + seed % 3) for seed in range(60)])
    validator = Draft202012Validator(SCHEMA)
    assert all(validator.is_valid(json.loads(each.completion)) for each in said)
    assert len({each.completion for each in said}) == 60 and {each.finish_reason for each in said} == {"stop"}


def test_a_guided_completion_ends_with_the_template_s_own_ending(model: Qwen3ForCausalLM, tokenizer: Tokenizer) -> None:
    (said,) = drawn(model, tokenizer, [request(tokenizer, 1, SCHEMA)])
    assert said.completion_ids[-1] == tokenizer.id_of(END) and said.logprobs[-1] == 0.0  # nothing else may follow
    assert tokenizer.decode(said.completion_ids[:-1]) == said.completion
    assert tokenizer.control_ids.isdisjoint(said.completion_ids[:-1])


def test_log_probabilities_are_those_among_allowed_tokens(model: Qwen3ForCausalLM, tokenizer: Tokenizer) -> None:
    schema = {"enum": ["a", "b"]}  # after `"` there is nothing but a or b
    (said,) = drawn(model, tokenizer, [request(tokenizer, 3, schema)])
    (quote, letter, *_), start = said.completion_ids, tokenizer.encode("Who?", control=False)
    with torch.no_grad():
        logits = model(torch.tensor([(*start, quote)])).logits[0, -1]
    ids = [tokenizer.encode(text, control=False)[0] for text in "ab"]
    expected = logits[ids].log_softmax(-1)[ids.index(letter)].item()
    assert said.logprobs[1] == pytest.approx(expected, abs=1e-6)


def test_free_completions_do_not_notice_guided_company(model: Qwen3ForCausalLM, tokenizer: Tokenizer) -> None:
    free = [request(tokenizer, seed, None) for seed in range(4)]
    mixed = [each for seed, one in enumerate(free) for each in (one, request(tokenizer, seed, SCHEMA))]
    alone = [each.completion_ids for each in drawn(model, tokenizer, free)]
    assert [each.completion_ids for each in drawn(model, tokenizer, mixed)[::2]] == alone


def test_a_schema_that_nothing_can_be_held_to_is_refused_with_the_reason(
    model: Qwen3ForCausalLM, tokenizer: Tokenizer
) -> None:
    with pytest.raises(LlmError, match=r'no text can be held to the schema .*Unimplemented keys: \["not"\]'):
        drawn(model, tokenizer, [request(tokenizer, 0, {"not": {"type": "string"}})])


def test_a_missing_engine_is_one_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)
    with pytest.raises(LlmError, match="llguidance, which is missing") as caught:
        Guides(lambda: "", 10, 0).guide(SCHEMA)
    assert caught.value.next_step == "pip install 'agentbench[grammar]', or agent.guided=false"
