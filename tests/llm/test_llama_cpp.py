"""A real llama.cpp server is held to JSON Schemas. Needs AGENTBENCH_LLAMA_CPP_URL, as http://127.0.0.1:8080/v1."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.request

import pytest
from jsonschema import Draft202012Validator

from agentbench.config.model import ApiMode
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.keys import read_key
from agentbench.llm.openai import OpenAILlm
from agentbench.policies.plans import plan_schema
from agentbench.types import Generation

URL = os.environ.get("AGENTBENCH_LLAMA_CPP_URL", "")

pytestmark = pytest.mark.skipif(not URL, reason="AGENTBENCH_LLAMA_CPP_URL names no llama.cpp server")


@pytest.mark.parametrize("mode", ApiMode)
def test_a_small_model_can_only_write_plans(mode: ApiMode) -> None:
    question = "Plan: what is 2 + 2?"
    chat = Prompt(messages=({"role": "user", "content": question},))
    prompt = chat if mode is ApiMode.CHAT else Prompt(text=question)
    schema = plan_schema(("calculator",), 60)

    async def ask() -> list[Generation]:
        llm = OpenAILlm(
            URL, _name(), mode, read_key("NO_KEY"), timeout_s=120, max_retries=0, max_connections=4, section="model"
        )
        requests = [Request(prompt, Sampling(1.5, 1.0, 300), seed, schema=schema) for seed in range(4)]
        try:
            return await asyncio.gather(*map(llm.generate, requests))
        finally:
            await llm.close()

    validator = Draft202012Validator(schema)
    assert all(validator.is_valid(json.loads(each.completion)) for each in asyncio.run(ask()))


def _name() -> str:
    with urllib.request.urlopen(f"{URL}/models") as answer:
        return str(json.load(answer)["data"][0]["id"])
