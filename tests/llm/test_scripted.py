"""The model of tests."""

from __future__ import annotations

import asyncio

import pytest

from agentbench.errors import LlmError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.scripted import ScriptedLlm

REQUEST = Request(Prompt("p", (1, 2)), Sampling(), seed=0, role="judge")


def test_replies_come_in_order_and_run_out() -> None:
    llm = ScriptedLlm(["a", "b"])
    said = [asyncio.run(llm.generate(REQUEST)).completion for _ in range(2)]
    assert said == ["a", "b"] and llm.requests == [REQUEST, REQUEST]
    with pytest.raises(LlmError, match="no reply left for 'judge'"):
        asyncio.run(llm.generate(REQUEST))


def test_a_function_sees_the_request() -> None:
    generation = asyncio.run(ScriptedLlm(lambda request: request.prompt.text * 2).generate(REQUEST))
    assert (generation.completion, generation.role, generation.prompt_ids) == ("pp", "judge", (1, 2))
