"""A model behind an OpenAI-compatible server: vLLM, llama.cpp, or a service.

What can be mended by asking again is asked again, with growing random pauses or the one the server names; all else is
one `LlmError` that says what to change. While the server is down requests wait (see `breaker.py`), and being down does
not use up their attempts.

Two ways of asking: `chat` sends messages and tools, and the server's own template makes the prompt; `completions` sends
the template's prompt, as ids where it has them, and asks for the ids and log-probabilities that were sampled
(`return_token_ids`, which vLLM knows from 0.10 on; a server that ignores it gives generations without ids).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, NoReturn

import orjson

from agentbench.config.model import ApiMode
from agentbench.errors import LlmError, PreflightError
from agentbench.llm import Request
from agentbench.llm.breaker import Breaker
from agentbench.llm.faults import MOST_FAULTS, Attempts, Fault, FaultKind
from agentbench.llm.http_server import Answer, HttpServer, make_room
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai_json import Spent, chat_body, completion_body, read_chat, read_completion, read_models
from agentbench.types import Generation

_CHAT, _COMPLETIONS = "/chat/completions", "/completions"

Read = Callable[[bytes, Spent], Generation]


class OpenAILlm:
    """An `Llm` over HTTP. All its methods belong to one event loop."""

    def __init__(
        self,
        base_url: str,
        name: str,
        mode: ApiMode,
        api_key: ApiKey,
        *,
        timeout_s: float,
        max_retries: int,
        max_connections: int,
        down_timeout_s: float = 0.0,
        section: str = "model",
    ) -> None:
        """`section` is the dotted key of the configuration that these settings are from; advice names it."""
        self._section = section
        self._name = name
        self._mode = mode
        self._max_retries = max_retries
        self._server = HttpServer(
            base_url, api_key, timeout_s=timeout_s, max_connections=max_connections, section=section
        )
        self._url = self._server.base_url
        self.breaker = Breaker(self._url, self._server.is_up, down_timeout_s)
        """Whether the server is there, as far as requests have told."""

    async def generate(self, request: Request) -> Generation:
        """The completion of one request.

        Raises:
            LlmError: the prompt does not fit the mode, the server refuses or fails in all attempts.
            ServerDownError: the server was down for longer than is waited.
        """
        if self._mode is ApiMode.CHAT:
            return await self._persist(
                _CHAT, self._payload(chat_body(request)), lambda body, spent: read_chat(body, request, spent)
            )
        body = self._payload(completion_body(request))
        return await self._persist(_COMPLETIONS, body, lambda body, spent: read_completion(body, request, spent))

    async def check(self) -> None:
        """Asks the server once for its models, and the system for as many connections as there may be.

        Raises:
            PreflightError: it cannot be reached, refuses the key or lacks the model; too few files may be open.
        """
        make_room(self._server.max_connections)
        try:
            answer = await self._server.attempt("GET", "/models")
            if answer.status >= 400:
                self._refuse(answer, "/models")
        except Fault as fault:
            raise PreflightError(str(fault), fault.advice) from fault
        except LlmError as error:
            raise PreflightError(str(error), error.next_step) from error
        try:
            names = read_models(answer.body)
        except ValueError as error:
            problem = f"{self._url}/models gives no list of models: {self._server.shown(answer.body)}"
            raise PreflightError(problem, f"correct {self._section}.base_url") from error
        if self._name not in names:
            raise PreflightError(self._unknown_model(names), f"correct {self._section}.name")

    async def close(self) -> None:
        """Closes all connections."""
        await self.breaker.close()
        await self._server.close()

    def _payload(self, body: dict[str, Any]) -> bytes:
        # Copied, because orjson's own bytes hold on to a buffer of many times their length while the request waits.
        return bytes(memoryview(orjson.dumps({"model": self._name, **body})))

    async def _persist(self, path: str, payload: bytes, read: Read) -> Generation:
        """The first generation that an attempt brings, with what it took."""
        started, attempts = time.perf_counter(), Attempts(self._max_retries)
        while True:
            if self.breaker.is_down:
                await self.breaker.passage()
            try:
                answer = await self._answer(path, payload)
                seconds, waited = time.perf_counter() - started, answer.sent - started
                generation = self._read(read, answer, Spent(seconds, waited, attempts.names))
            except Fault as fault:
                await self._recover(fault, attempts)
            else:
                self.breaker.answered()
                return generation

    async def _answer(self, path: str, payload: bytes) -> Answer:
        answer = await self._server.attempt("POST", path, payload)
        if answer.status == 404:
            await self._refuse_model()
        if answer.status >= 400:
            self._refuse(answer, path)
        return answer

    def _read(self, read: Read, answer: Answer, spent: Spent) -> Generation:
        try:
            return read(answer.body, spent)
        except ValueError as error:
            problem = f"{self._url} answered with no completion ({error}): {self._server.shown(answer.body)}"
            advice = f"check that {self._section}.base_url is an OpenAI-compatible server"
            raise Fault(FaultKind.GARBAGE, problem, advice) from error

    async def _recover(self, fault: Fault, attempts: Attempts) -> None:
        """Waits until the next attempt is due; a server that is down is waited for at no attempt's expense.

        Raises:
            LlmError: there is to be none.
        """
        self.breaker.failed(fault.kind)
        if self.breaker.is_down and len(attempts.faults) < MOST_FAULTS:
            attempts.faults.append(fault.kind)
            return
        if not attempts.may_go_on(fault.kind):
            tried = len(attempts.faults)
            raise LlmError(f"{fault} (attempts: {tried})", fault.advice, retryable=True) from fault
        await asyncio.sleep(attempts.pause_s(fault))

    def _refuse(self, answer: Answer, path: str) -> NoReturn:
        key = self._server.key
        if answer.status in (401, 403):
            why = "refuses the key" if key.value else "wants a key and none is set"
            place = (
                f"put a valid one into the environment variable {key.variable}, or a line {key.variable}=… into .env"
            )
            raise LlmError(f"{self._url} {why} (HTTP {answer.status})", place)
        if answer.status == 404:
            advice = f"{self._section}.base_url must end in the version, as in …/v1"
            raise LlmError(f"{self._url} has no {path}", advice)
        shown = self._server.shown(answer.body)
        raise LlmError(f"{self._url} refuses the request (HTTP {answer.status}): {shown}")

    async def _refuse_model(self) -> None:
        """Raises with the server's models if it has some and ours is not among them."""
        try:
            names = read_models((await self._server.attempt("GET", "/models")).body)
        except (Fault, LlmError, ValueError):
            return
        if self._name not in names:
            raise LlmError(self._unknown_model(names), f"correct {self._section}.name")

    def _unknown_model(self, names: tuple[str, ...]) -> str:
        near = get_close_matches(self._name, names, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        return f"{self._url} has no model {self._name!r}; it has: {', '.join(names) or 'none'}{meant}"
