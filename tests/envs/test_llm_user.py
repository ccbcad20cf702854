"""A user played by a model behind a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agentbench.config.model import ApiMode
from agentbench.envs.llm_user import GREETING, MOST_CALLS, USER_PROMPT, LlmUser, user_schema
from agentbench.envs.users import Done, Hands, Said
from agentbench.errors import LlmError
from agentbench.llm import Sampling
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.llm.structured import StructuredLlm
from agentbench.types import Observation, ToolCall, ToolSpec

SCENARIO = {"why_you_call": "No data."}
SAYS: dict[str, Any] = {"tool": None, "message": "I have no data.", "ends": False}
LOOKS: dict[str, Any] = {"tool": {"name": "look", "arguments": {}}, "message": "", "ends": False}
ENDS: dict[str, Any] = {"tool": None, "message": "Thanks.", "ends": True}


class Look:
    """Shows a bar."""

    spec = ToolSpec("look", "Look at the bar.", {"type": "object", "properties": {}, "additionalProperties": False})

    async def call(self, arguments: dict[str, Any]) -> Observation:
        return Observation('"no signal"')


class Model:
    """Says one thing after the other, the last one for ever; keeps what it was shown."""

    def __init__(self, *values: dict[str, Any]) -> None:
        self._values = list(values)
        self.shown: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.shown.append(body["messages"][1]["content"])
        value = self._values.pop(0) if len(self._values) > 1 else self._values[0]
        choice = {"message": {"content": json.dumps(value)}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})


class Met(NamedTuple):
    result: Any
    hands: Hands
    shown: list[str]


def meet(model: Model, talk: Callable[[LlmUser], Awaitable[Any]]) -> Met:
    """What comes of talking to a user whom the model plays."""
    hands = Hands((Look(),))

    async def run() -> Any:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", model.handle)
        async with TestServer(app) as server:
            llm = OpenAILlm(
                str(server.make_url("/v1")),
                "played",
                ApiMode.CHAT,
                ApiKey("", ""),
                timeout_s=10,
                max_retries=0,
                max_connections=4,
            )
            ask = StructuredLlm(llm, Sampling(max_tokens=100), schema_guided=True)
            try:
                return await talk(LlmUser(ask, USER_PROMPT.read_text(encoding="utf-8"), SCENARIO, hands, 0))
            finally:
                await llm.close()

    return Met(asyncio.run(run()), hands, model.shown)


def test_the_user_answers_a_greeting_first() -> None:
    met = meet(Model(SAYS), lambda user: user.opening())
    assert met.result == Said("I have no data.")
    assert f'<conversation>\n{{"agent": "{GREETING}"}}\n</conversation>' in met.shown[0]


def test_the_user_looks_before_answering_and_may_end() -> None:
    met = meet(Model(LOOKS, ENDS), lambda user: user.reply("What does the bar show?"))
    assert met.result == Said("Thanks.", True)
    assert met.hands.done == [Done(ToolCall("look", {}), '"no signal"')]
    assert '"result": "\\"no signal\\""' in met.shown[1]


def test_a_forked_user_remembers_what_was_said() -> None:
    async def talk(user: LlmUser) -> Said:
        await user.reply("Hello?")
        return await user.fork(Hands(())).reply("And now?")

    met = meet(Model(SAYS), talk)
    assert met.shown[1].index("Hello?") < met.shown[1].index("I have no data.") < met.shown[1].index("And now?")


def test_a_user_who_never_says_a_word_is_an_error_of_the_model() -> None:
    with pytest.raises(LlmError, match=f"made {MOST_CALLS} calls without saying a word"):
        meet(Model(LOOKS), lambda user: user.reply("Well?"))


def test_without_tools_a_user_can_only_speak() -> None:
    assert user_schema([])["properties"]["tool"] == {"type": "null"}
