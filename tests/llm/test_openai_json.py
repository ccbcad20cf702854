"""What servers send that is not quite what was agreed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.openai_json import read_chat, read_completion
from agentbench.types import Usage

REQUEST = Request(Prompt(text="?", ids=(1, 2)), Sampling(), seed=0)


def chat(**changes: Any) -> bytes:
    message = {"content": "Heat", **changes.pop("message", {})}
    return orjson.dumps({"choices": [{"message": message, "finish_reason": "stop"}], "usage": {}, **changes})


def test_token_counts_of_another_type_are_no_counts() -> None:
    odd = {"prompt_tokens": "12", "completion_tokens": 12.5, "prompt_tokens_details": {"cached_tokens": None}}
    assert read_chat(chat(usage=odd), REQUEST).usage == Usage(0, 12, 0)


def test_a_finish_reason_of_another_type_is_the_usual_one() -> None:
    body = orjson.dumps({"choices": [{"text": "Heat", "finish_reason": {"type": "stop"}}]})
    assert read_completion(body, REQUEST).finish_reason == "stop"


def test_a_call_without_arguments_has_none() -> None:
    calls = [{"function": {"name": "now"}}]
    completion = read_chat(chat(message={"tool_calls": calls}), REQUEST).completion
    assert orjson.loads(completion)["tool_calls"] == [{"name": "now", "arguments": {}}]


def test_no_choice_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^a list in it is empty$"):
        read_chat(b'{"choices": []}', REQUEST)


def test_content_in_parts_is_joined() -> None:
    parts = [{"type": "text", "text": "He"}, {"type": "image_url"}, {"type": "text", "text": "at"}]
    assert read_chat(chat(message={"content": parts}), REQUEST).completion == "Heat"


def test_token_ids_that_are_no_numbers_are_refused() -> None:
    body = orjson.dumps({"choices": [{"text": "Heat", "token_ids": ["a"]}]})
    with pytest.raises(ValueError, match="of another form"):
        read_completion(body, REQUEST)
