"""The HTTP client against real servers on this machine that behave and misbehave."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pytest
from aiohttp import web

from agentbench.config.model import ApiMode
from agentbench.errors import LlmError, PreflightError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.keys import ApiKey, read_key
from agentbench.llm.openai import OpenAILlm
from agentbench.types import Generation, Usage

T = TypeVar("T")
Reply = Callable[[], Awaitable[web.Response]]

CHAT = Request(
    Prompt(messages=({"role": "user", "content": "Hi"},), tools=({"type": "function"},)), Sampling(0.7, 0.9, 5), 3
)
IDS = Request(Prompt("ab", (7, 8)), Sampling(), seed=2**40 + 5, stop=("<|end|>",), role="expert")
USAGE = {"prompt_tokens": 2, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 1}}
SECRET = "sk-very-secret"


def message(content: str | None, *calls: tuple[str, Any]) -> dict[str, Any]:
    """A chat answer."""
    made = [{"id": "x", "type": "function", "function": {"name": name, "arguments": text}} for name, text in calls]
    said = {"role": "assistant", "content": content, "tool_calls": made or None}
    return {"choices": [{"message": said, "finish_reason": "stop"}], "usage": USAGE}


def status(code: int, body: bytes = b"", retry_after: str = "") -> Reply:
    """An answer with this HTTP status."""

    async def reply() -> web.Response:
        return web.Response(status=code, body=body, headers={"Retry-After": retry_after} if retry_after else {})

    return reply


class Server:
    """Gives its replies in order, the last one for ever, and keeps what it was asked."""

    def __init__(self, *replies: Reply | dict[str, Any]) -> None:
        self.replies = list(replies)
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str | None] = []
        self.models = web.json_response({"data": [{"id": "student"}, {"id": "base"}]}).body

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        self.keys.append(request.headers.get("Authorization"))
        if request.path == "/v1/models" and self.models:
            return web.Response(body=self.models)
        self.seen.append((request.path, await request.json() if request.can_read_body else {}))
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return web.json_response(reply) if isinstance(reply, dict) else await reply()

    def run(self, use: Callable[[OpenAILlm], Coroutine[Any, Any, T]], **settings: Any) -> T:
        """Serves while a client of it is used."""

        async def main() -> T:
            runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            llm = client(f"http://127.0.0.1:{runner.addresses[0][1]}/v1", **settings)
            try:
                return await use(llm)
            finally:
                await llm.close()
                await runner.cleanup()

        return asyncio.run(main())

    def ask(self, request: Request = CHAT, **settings: Any) -> Generation:
        """One generation."""
        return self.run(lambda llm: llm.generate(request), **settings)

    def refuse(self, request: Request = CHAT, **settings: Any) -> LlmError:
        """The error instead of one generation; always one line without the key."""
        with pytest.raises(LlmError) as caught:
            self.ask(request, **settings)
        assert "\n" not in str(caught.value) and SECRET not in f"{caught.value}{caught.value.next_step}"
        return caught.value


def client(base_url: str, **settings: Any) -> OpenAILlm:
    """A client with the settings of these tests."""
    given = {"name": "student", "mode": ApiMode.CHAT, "api_key": ApiKey("STUDENT_KEY", SECRET)}
    return OpenAILlm(base_url, **({**given, "timeout_s": 5.0, "max_retries": 1, "max_connections": 4} | settings))


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests wait for hundredths of seconds."""
    monkeypatch.setattr("agentbench.llm.faults.FIRST_PAUSE_S", 0.01)


def test_chat_sends_messages_tools_and_sampling() -> None:
    server = Server(message("Hello"))
    generation = server.ask()
    assert (generation.completion, generation.role, generation.finish_reason) == ("Hello", "agent", "stop")
    assert generation.usage == Usage(2, 3, 1) and 0 < generation.seconds < 5
    path, body = server.seen[0]
    assert path == "/v1/chat/completions" and body["messages"] == list(CHAT.prompt.messages)
    assert {**body, "messages": None} == {
        **{"model": "student", "messages": None, "tools": [{"type": "function"}]},
        **{"temperature": 0.7, "top_p": 0.9, "max_tokens": 5, "seed": 3},
    }
    assert server.keys == [f"Bearer {SECRET}"]


def test_calls_come_back_as_json_and_unreadable_arguments_as_they_are() -> None:
    generation = Server(message(None, ("ping", '{"n": 1}'), ("pong", "{oops"), ("pang", {"n": 2}))).ask()
    calls = [("ping", {"n": 1}), ("pong", "{oops"), ("pang", {"n": 2})]
    said = {"content": "", "tool_calls": [{"name": name, "arguments": given} for name, given in calls]}
    assert orjson.loads(generation.completion) == said


def test_completions_send_ids_and_keep_the_sampled_ones() -> None:
    choice = {"text": "yes<|end|>", "token_ids": [4, 5], "prompt_token_ids": [7, 8], "finish_reason": "stop"}
    server = Server({"choices": [{**choice, "logprobs": {"token_logprobs": [-0.5, -0.25]}}]})
    generation = server.ask(IDS, mode=ApiMode.COMPLETIONS)
    assert (generation.completion, generation.completion_ids, generation.prompt_ids) == ("yes", (4, 5), (7, 8))
    assert (generation.logprobs, generation.role, generation.usage) == ((-0.5, -0.25), "expert", Usage())
    path, body = server.seen[0]
    assert path == "/v1/completions" and body["prompt"] == [7, 8] and body["stop"] == ["<|end|>"]
    assert body["return_token_ids"] is True and body["skip_special_tokens"] is False
    assert body["seed"] == 5  # 2**40 + 5 cut to 31 bits


def test_a_server_that_ignores_the_wish_for_ids_gives_none() -> None:
    server = Server({"choices": [{"text": "yes", "logprobs": {"token_logprobs": [-0.5]}}]})
    generation = server.ask(IDS, mode=ApiMode.COMPLETIONS)
    assert (generation.completion_ids, generation.logprobs, generation.prompt_ids) == ((), (), (7, 8))


def test_without_ids_the_text_is_sent() -> None:
    server = Server({"choices": [{"text": "yes"}]})
    server.ask(Request(Prompt("ab"), Sampling(), 0), mode=ApiMode.COMPLETIONS)
    assert server.seen[0][1]["prompt"] == "ab"


@pytest.mark.parametrize("code", [408, 429, 500, 503])
def test_a_passing_fault_is_mended_by_asking_again(code: int) -> None:
    server = Server(status(code), message("Hello"))
    assert server.ask().completion == "Hello"
    assert len(server.seen) == 2


def test_a_server_says_how_long_to_wait() -> None:
    server = Server(status(429, retry_after="1"), message("Hello"))
    assert 1.0 <= server.ask().seconds < 3.0


def test_an_endless_wish_to_wait_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.llm.faults.LONGEST_PAUSE_S", 0.1)
    server = Server(status(429, retry_after="86400"), message("Hello"))
    assert 0.1 <= server.ask().seconds < 2.0


def test_a_lasting_fault_ends_after_all_attempts() -> None:
    server = Server(status(500, f"CUDA\nerror {SECRET}".encode()))
    error = server.refuse(max_retries=2)
    assert len(server.seen) == 3
    assert "fails with HTTP 500: CUDA error *** (attempts: 3)" in str(error) and error.retryable


def test_a_refused_request_is_not_repeated() -> None:
    server = Server(status(400, b'{"error": {"message": "too long"}}'))
    error = server.refuse()
    assert len(server.seen) == 1 and "HTTP 400" in str(error) and "too long" in str(error) and not error.retryable


async def slow() -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


def test_a_slow_server_is_asked_three_times_whatever_number_of_retries_is_allowed() -> None:
    server = Server(slow)
    error = server.refuse(timeout_s=0.1, max_retries=20)
    assert "gave no answer within 0.1 s (attempts: 3)" in str(error) and error.retryable and len(server.seen) == 3
    assert error.next_step == "raise model.timeout_s, or lower concurrency"


def test_garbage_is_asked_for_three_times_at_most() -> None:
    server = Server(status(200, b"<html>"))
    assert "(attempts: 3)" in str(server.refuse(max_retries=20)) and len(server.seen) == 3


def test_what_was_mended_and_waited_for_stands_in_the_generation() -> None:
    server = Server(status(429, retry_after="1"), status(500), status(200, b"<html>"), message("Hello"))
    generation = server.ask(max_retries=3)
    assert generation.faults == ("rate_limited", "server_error", "garbage")
    assert 1.0 <= generation.queue_seconds <= generation.seconds  # the first pause is the one that was asked for


def test_parameters_that_few_servers_know_are_sent_where_they_are_set() -> None:
    server = Server(message("Hello"))
    given = Sampling(1.0, top_k=5, min_p=0.1, repetition_penalty=1.2, presence_penalty=0.5, frequency_penalty=-0.5)
    server.ask(Request(CHAT.prompt, given, 0, stop=("END",)))
    body = server.seen[0][1]
    assert (body["top_k"], body["min_p"], body["repetition_penalty"], body["stop"]) == (5, 0.1, 1.2, ["END"])
    assert (body["presence_penalty"], body["frequency_penalty"]) == (0.5, -0.5)


def test_ids_that_come_back_as_they_were_sent_are_the_same_object() -> None:
    choice = {"text": "yes", "token_ids": [4], "prompt_token_ids": [7, 8]}
    assert Server({"choices": [choice]}).ask(IDS, mode=ApiMode.COMPLETIONS).prompt_ids is IDS.prompt.ids
    other = {"choices": [{**choice, "prompt_token_ids": [1, 7, 8]}]}
    assert Server(other).ask(IDS, mode=ApiMode.COMPLETIONS).prompt_ids == (1, 7, 8)


def test_waiting_for_a_slot_is_no_time_out() -> None:
    async def leisurely() -> web.Response:
        await asyncio.sleep(0.2)
        return web.json_response(message("Hello"))

    async def four(llm: OpenAILlm) -> list[Generation]:
        return await asyncio.gather(*(llm.generate(CHAT) for _ in range(4)))

    generations = Server(leisurely).run(four, max_connections=1, timeout_s=0.5)
    assert max(generation.seconds for generation in generations) >= 0.8  # four in a row


GARBAGE = (b"<html>", b"", b"{}", b"[]", b'{"choices": []}', b'{"choices": [{"message": {"content": 3}}]}', b"\xff")


@pytest.mark.parametrize("body", GARBAGE)
@pytest.mark.parametrize(("mode", "request_"), [(ApiMode.CHAT, CHAT), (ApiMode.COMPLETIONS, IDS)])
def test_garbage_is_named_as_such(body: bytes, mode: ApiMode, request_: Request) -> None:
    assert "answered with no completion" in str(Server(status(200, body)).refuse(request_, mode=mode))


@pytest.mark.parametrize("code", [401, 403])
def test_a_refused_key_names_where_it_is_kept(code: int) -> None:
    error = Server(status(code, SECRET.encode())).refuse()
    assert f"refuses the key (HTTP {code})" in str(error) and "a line STUDENT_KEY=… into .env" in error.next_step


def test_a_missing_key_is_said_to_be_missing() -> None:
    server = Server(status(401))
    assert "wants a key and none is set" in str(server.refuse(api_key=ApiKey("STUDENT_KEY")))
    assert server.keys == [None]


def test_an_unknown_model_is_answered_with_the_known_ones() -> None:
    error = Server(status(404)).refuse(name="studnet")
    assert "has no model 'studnet'; it has: base, student; did you mean 'student'?" in str(error)


def test_an_unknown_address_is_told_from_an_unknown_model() -> None:
    server = Server(status(404))
    server.models = None
    assert "has no /chat/completions" in str(server.refuse())


@pytest.fixture
def nowhere() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_a_dead_server_is_one_line(nowhere: str) -> None:
    async def use() -> None:
        llm = client(nowhere)
        try:
            await llm.generate(CHAT)
        finally:
            await llm.close()

    with pytest.raises(LlmError) as caught:
        asyncio.run(use())
    assert str(caught.value) == f"cannot reach {nowhere}: Connection refused (attempts: 2)"


@pytest.mark.parametrize("address", ["127.0.0.1:8000/v1", "ftp://127.0.0.1/v1", "nonsense"])
def test_what_is_no_address_is_not_tried_again(address: str) -> None:
    async def check() -> None:
        llm = client(address)
        try:
            await llm.check()
        finally:
            await llm.close()

    with pytest.raises(PreflightError, match=f"^'{address}' is no address$"):
        asyncio.run(check())


def test_a_connection_dropped_half_way_is_tried_again() -> None:
    cut = iter((True, False))

    async def main() -> Generation:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"}")
            body = orjson.dumps(message("Hello"))
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
            writer.write(head + (body[:9] if next(cut) else body))
            writer.close()

        async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
            llm = client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1")
            try:
                return await llm.generate(CHAT)
            finally:
                await llm.close()

    assert asyncio.run(main()).completion == "Hello"


@pytest.mark.parametrize(("mode", "request_"), [(ApiMode.CHAT, IDS), (ApiMode.COMPLETIONS, CHAT)])
def test_a_prompt_of_the_wrong_kind_names_the_setting(mode: ApiMode, request_: Request) -> None:
    server = Server(message(""))
    error = server.refuse(request_, mode=mode)
    assert error.next_step in ("use template=teacher", "use model.mode=chat") and server.seen == []


def test_check_finds_a_known_model_good() -> None:
    Server(message("")).run(lambda llm: llm.check())


@pytest.mark.parametrize(
    ("models", "code", "name", "problem"),
    [
        (b'{"data": [{"id": "base"}]}', 200, "student", "has no model 'student'; it has: base"),
        (b"<html>", 200, "student", "gives no list of models: <html>"),
        (None, 401, "student", "refuses the key"),
        (None, 404, "student", "has no /models"),
        (None, 500, "student", "fails with HTTP 500"),
    ],
)
def test_check_names_what_is_wrong(models: bytes | None, code: int, name: str, problem: str) -> None:
    server = Server(status(code))
    server.models = models
    with pytest.raises(PreflightError, match=problem):
        server.run(lambda llm: llm.check(), name=name)


def test_advice_names_the_section_of_the_configuration() -> None:
    error = Server(status(500)).refuse(section="judge.endpoint")
    assert error.next_step.endswith("correct judge.endpoint.base_url")


def test_check_finds_a_dead_server(nowhere: str) -> None:
    async def use() -> None:
        llm = client(nowhere)
        try:
            await llm.check()
        finally:
            await llm.close()

    with pytest.raises(PreflightError, match=f"cannot reach {nowhere}: Connection refused"):
        asyncio.run(use())


def test_a_key_comes_from_the_environment_or_from_dotenv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STUDENT_KEY", raising=False)
    assert read_key("STUDENT_KEY").value == ""
    (tmp_path / ".env").write_text(f"STUDENT_KEY={SECRET}\n")
    assert read_key("STUDENT_KEY").value == SECRET
    monkeypatch.setenv("STUDENT_KEY", "from the environment")
    assert read_key("STUDENT_KEY").value == "from the environment"
    assert SECRET not in repr(ApiKey("STUDENT_KEY", SECRET))


def test_more_connections_than_files_may_be_open_are_refused_before_the_run() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, hard))
    try:
        Server(message("")).run(lambda llm: llm.check(), max_connections=1000)
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 1256  # 256 for all else
        with pytest.raises(PreflightError, match=f"need 1000000256 open files; the system allows this process {hard}"):
            Server(message("")).run(lambda llm: llm.check(), max_connections=10**9)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
