"""Objects asked of real HTTP servers that answer well, badly, late and never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agentbench.config.model import ApiMode
from agentbench.errors import LlmError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.llm.openai_json import completion_body
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import Structured, StructuredError, StructuredLlm, read_object

T = TypeVar("T")

SCHEMA = {
    "type": "object",
    "properties": {"yes": {"type": "boolean"}, "why": {"type": "string"}},
    "required": ["yes"],
    "additionalProperties": False,
}
ASKED = ({"role": "system", "content": "Judge."}, {"role": "user", "content": "Is it?"})
GOOD = '{"yes": true}'


class Server:
    """Answers with its replies in order: a text is a completion, a number an HTTP status, the last one for ever."""

    def __init__(self, *replies: str | int, finish_reason: str = "stop", pause_s: float = 0.0) -> None:
        self.replies = list(replies)
        self.bodies: list[dict[str, Any]] = []
        self.busy = self.busiest = 0
        self._finish_reason = finish_reason
        self._pause_s = pause_s

    async def handle(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        await asyncio.sleep(self._pause_s)
        self.busy -= 1
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, int):
            return web.Response(status=reply, text="out of order")
        choice = {"message": {"content": reply}, "finish_reason": self._finish_reason}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 2}})

    def run(self, use: Callable[[OpenAILlm], Coroutine[Any, Any, T]], **settings: Any) -> T:
        async def main() -> T:
            app = web.Application()
            app.router.add_post("/v1/chat/completions", self.handle)
            limits = {"timeout_s": 5.0, "max_retries": 1, "max_connections": 4, **settings}
            async with TestServer(app) as server:
                llm = OpenAILlm(str(server.make_url("/v1")), "m", ApiMode.CHAT, ApiKey("K"), **limits)
                try:
                    return await use(llm)
                finally:
                    await llm.close()

        return asyncio.run(main())

    def ask(self, guided: bool = True, **settings: Any) -> Structured:
        async def once(llm: OpenAILlm) -> Structured:
            return await StructuredLlm(llm, Sampling(max_tokens=9), guided).ask("judge", ASKED, SCHEMA, 5)

        return self.run(once, **settings)

    def refuse(self, guided: bool = True, **settings: Any) -> StructuredError:
        with pytest.raises(StructuredError) as caught:
            self.ask(guided, **settings)
        assert "\n" not in str(caught.value)
        return caught.value


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.llm.faults.FIRST_PAUSE_S", 0.01)


def test_a_guided_server_is_told_the_schema_and_its_object_comes_back() -> None:
    server = Server(GOOD)
    said = server.ask()
    assert said.value == {"yes": True} and [generation.role for generation in said.generations] == ["judge"]
    wish = {"type": "json_schema", "json_schema": {"name": "judge", "schema": SCHEMA, "strict": True}}
    assert server.bodies[0]["response_format"] == wish
    assert server.bodies[0]["messages"] == list(ASKED) and server.bodies[0]["seed"] == 5


def test_a_server_that_cannot_be_guided_finds_the_schema_in_the_prompt() -> None:
    server = Server(GOOD)
    assert server.ask(guided=False).value == {"yes": True}
    (body,) = server.bodies
    assert "response_format" not in body and body["messages"][1:] == [ASKED[1]]
    assert body["messages"][0]["content"].startswith("Judge.\n\n") and '"required": ["yes"]' in str(body["messages"][0])


def test_without_a_system_message_the_schema_makes_one() -> None:
    llm = ScriptedLlm([GOOD])
    asyncio.run(StructuredLlm(llm, Sampling(), False).ask("judge", ASKED[1:], SCHEMA, 0))
    assert [message["role"] for message in llm.requests[0].prompt.messages] == ["system", "user"]


def test_completions_mode_asks_for_the_schema_too() -> None:
    body = completion_body(Request(Prompt("ab"), Sampling(), 0, role="expert", schema=SCHEMA))
    assert body["response_format"]["json_schema"] == {"name": "expert", "schema": SCHEMA, "strict": True}
    assert body["json_schema"] == SCHEMA  # llama.cpp's name for it at this endpoint
    assert not {"response_format", "json_schema"} & completion_body(Request(Prompt("ab"), Sampling(), 0)).keys()


@pytest.mark.parametrize(
    "text",
    [
        f"```json\n{GOOD}\n```",
        f"Well: {GOOD} That is all.",
        f"<think>If {{x}} then {{'yes': false}} or [1, {{</think>\n{GOOD}",
        f'First {{"yes": false}}, but on reflection {GOOD}',
        f'{GOOD} with {{"confidence": 1}}',
        f"  \n{GOOD}\n",
        f'{{"yes": NaN}} {GOOD}',
    ],
)
def test_an_object_is_found_whatever_stands_around_it(text: str) -> None:
    assert read_object(text, SCHEMA) == ({"yes": True}, "")


def test_control_signs_may_stand_in_strings_as_they_are() -> None:
    """JSON wants them escaped; what vLLM holds to a schema (by xgrammar) may hold them."""
    assert read_object('So: {"why":\t"a\tb\x00"}', {"type": "object"}) == ({"why": "a\tb\x00"}, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no JSON object in it"),
        ("[true]", "there is no JSON object in it"),
        ('{"yes": tru', "there is no JSON object in it"),
        ("{}", "'yes' is a required property"),
        ('{"yes": "no"}', "at 'yes': 'no' is not of type 'boolean'"),
        ('{"yes": true, "no": 1}', "Additional properties are not allowed ('no' was unexpected)"),
        (f'{{"yes": {"[" * 40}1{"]" * 40}}}', "it is nested more than 32 levels deep"),
        ("{" * 100_000, "there is no JSON object in it"),
        ('{"a":' * 2000, "there is no JSON object in it"),
    ],
)
def test_what_is_wrong_is_said_in_words(text: str, problem: str) -> None:
    assert read_object(text, SCHEMA).problem == problem


def test_a_complaint_about_a_long_answer_is_short() -> None:
    assert len(read_object(f'{{"yes": "{"x" * 10_000}"}}', SCHEMA).problem) <= 300 + 2


def test_an_answer_without_the_form_is_asked_for_again_with_what_was_wrong() -> None:
    server = Server("Yes!", '{"yes": 1}', GOOD)
    said = server.ask()
    assert said.value == {"yes": True} and [one.completion for one in said.generations] == ["Yes!", '{"yes": 1}', GOOD]
    last = server.bodies[2]["messages"]
    assert last[:2] == list(ASKED) and last[2] == {"role": "assistant", "content": '{"yes": 1}'}
    assert "at 'yes': 1 is not of type 'boolean'" in last[3]["content"] and len(last) == 4
    assert [body["seed"] for body in server.bodies] == [5, 6, 7]


def test_a_check_of_the_callers_own_is_put_into_words_too() -> None:
    llm = ScriptedLlm([GOOD, '{"yes": false}'])
    check = lambda value: "nobody says yes" if value["yes"] else ""  # noqa: E731
    said = asyncio.run(StructuredLlm(llm, Sampling(), True).ask("judge", ASKED, SCHEMA, 0, check=check))
    assert said.value == {"yes": False} and "nobody says yes" in llm.requests[1].prompt.messages[3]["content"]


def test_what_never_has_the_form_is_an_error_that_names_it_and_keeps_what_was_paid() -> None:
    error = Server("Yes,\nI am sure").refuse()
    assert isinstance(error, LlmError) and "the judge gave no usable answer in 3 attempts" in str(error)
    assert "no JSON object in it; the last one was 'Yes, I am sure'" in str(error)
    assert sum(generation.usage.prompt_tokens for generation in error.generations) == 3 * 10


def test_an_answer_that_is_cut_off_says_so() -> None:
    error = Server('{"yes": tr', finish_reason="length").refuse()
    assert "it was cut off after 9 tokens" in str(error) and error.next_step == "raise its endpoint's max_tokens"


def test_a_failing_server_is_asked_again_by_the_client() -> None:
    server = Server(500, GOOD)
    assert server.ask().value == {"yes": True} and len(server.bodies) == 2


def test_a_server_that_dies_half_way_keeps_what_was_paid() -> None:
    error = Server("Yes!", 500).refuse()
    assert "fails with HTTP 500" in str(error) and error.retryable
    assert [generation.completion for generation in error.generations] == ["Yes!"]


def test_a_slow_server_is_an_error_in_time() -> None:
    assert "gave no answer within 0.1 s" in str(Server(GOOD, pause_s=1.0).refuse(timeout_s=0.1))


@pytest.mark.parametrize(("guided", "advice"), [(True, "set schema_guided=false"), (False, "")])
def test_a_refusal_under_a_schema_names_the_setting(guided: bool, advice: str) -> None:
    error = Server(400).refuse(guided)
    assert "HTTP 400" in str(error) and error.next_step.startswith(advice) and bool(error.next_step) == bool(advice)


def test_no_more_questions_are_under_way_than_the_endpoint_allows() -> None:
    server = Server(GOOD, pause_s=0.02)

    async def many(llm: OpenAILlm) -> list[Structured]:
        ask = StructuredLlm(llm, Sampling(), True)
        return await asyncio.gather(*(ask.ask("judge", ASKED, SCHEMA, seed) for seed in range(10)))

    assert len(server.run(many, max_connections=3)) == 10 and server.busiest == 3
