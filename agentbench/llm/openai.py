"""A model behind an OpenAI-compatible server: vLLM, llama.cpp, or a service.

aiohttp and orjson instead of the official client, which costs some twenty times the CPU per request. An attempt takes a
slot before its clock starts, so that waiting for a slot is never a time-out. What can be mended by asking again is
asked again, with growing random pauses; all else is one `LlmError` that says what to change. An attempt that
ran out of time is not repeated: the server may still be at it, and asking again would double its load.

Two ways of asking: `chat` sends messages and tools, and the server's own template makes the prompt; `completions` sends
the template's prompt, as ids where it has them, and asks for the ids and log-probabilities that were sampled
(`return_token_ids`, which vLLM knows from 0.10 on; a server that ignores it gives generations without ids).
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from email.utils import parsedate_to_datetime
from typing import NamedTuple, NoReturn

import aiohttp
import orjson
from dotenv import dotenv_values, find_dotenv

from agentbench.config.model import ApiMode
from agentbench.errors import LlmError, PreflightError
from agentbench.llm import Request
from agentbench.llm.openai_json import chat_body, completion_body, read_chat, read_completion, read_models
from agentbench.types import Generation

FIRST_PAUSE_S = 0.5
"""Longest pause before the second attempt; it doubles with each further one, up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 30.0
CONNECT_TIMEOUT_S = 10.0
IDLE_CONNECTION_S = 4.0
"""Idle connections are dropped after this time, before vLLM's server does it (5 s) while a request is on its way."""
_CHAT, _COMPLETIONS = "/chat/completions", "/completions"


@dataclass(frozen=True)
class ApiKey:
    """A key and the name it is kept under; only the name is ever shown."""

    variable: str
    value: str = field(default="", repr=False)


def read_key(variable: str) -> ApiKey:
    """The key in an environment variable, else in a `.env` of the working folder or above it, else an empty one."""
    value = os.environ.get(variable) or dotenv_values(find_dotenv(usecwd=True)).get(variable)
    return ApiKey(variable, (value or "").strip())


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
        section: str = "model",
    ) -> None:
        """`section` is the dotted key of the configuration that these settings are from; advice names it."""
        self._section = section
        self._dead = f"start the server, see its log, or correct {section}.base_url"
        self._base_url = base_url.rstrip("/")
        self._name = name
        self._mode = mode
        self._key = api_key
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._max_retries = max_retries
        self._slots = asyncio.Semaphore(max_connections)
        self._session: aiohttp.ClientSession | None = None

    async def generate(self, request: Request) -> Generation:
        """The completion of one request.

        Raises:
            LlmError: the prompt does not fit the mode, the server refuses, fails in all attempts, or is too slow.
        """
        started = time.perf_counter()
        chat = self._mode is ApiMode.CHAT
        body = chat_body(request) if chat else completion_body(request)
        answer = await self._ask(_CHAT if chat else _COMPLETIONS, orjson.dumps({"model": self._name, **body}))
        try:
            generation = read_chat(answer, request) if chat else read_completion(answer, request)
        except ValueError as error:
            problem = f"{self._base_url} answered with no completion ({error}): {self._shown(answer)}"
            raise LlmError(problem, f"check that {self._section}.base_url is an OpenAI-compatible server") from error
        return replace(generation, seconds=time.perf_counter() - started)

    async def check(self) -> None:
        """Asks the server once for its models.

        Raises:
            PreflightError: it cannot be reached, refuses the key, or does not have the model.
        """
        try:
            answer = await self._attempt("GET", "/models")
            if answer.status >= 400:
                self._refuse(answer, "/models")
        except _Fault as fault:
            raise PreflightError(str(fault), self._dead) from fault
        except LlmError as error:
            raise PreflightError(str(error), error.next_step) from error
        try:
            names = read_models(answer.body)
        except ValueError as error:
            problem = f"{self._base_url}/models gives no list of models: {self._shown(answer.body)}"
            raise PreflightError(problem, f"correct {self._section}.base_url") from error
        if self._name not in names:
            raise PreflightError(self._unknown_model(names), f"correct {self._section}.name")

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    async def _ask(self, path: str, payload: bytes) -> bytes:
        answer = await self._persist(path, payload)
        if answer.status == 404:
            await self._refuse_model()
        if answer.status >= 400:
            self._refuse(answer, path)
        return answer.body

    async def _persist(self, path: str, payload: bytes) -> _Answer:
        """The first answer that is no fault, over all attempts."""
        attempt = 0
        while True:
            try:
                return await self._attempt("POST", path, payload)
            except _Fault as fault:
                if attempt == self._max_retries:
                    raise LlmError(f"{fault} (attempts: {attempt + 1})", self._dead, retryable=True) from fault
                pause = random.uniform(0, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S))
                await asyncio.sleep(max(pause, min(fault.pause_s, LONGEST_PAUSE_S)))
            attempt += 1

    async def _attempt(self, method: str, path: str, payload: bytes | None = None) -> _Answer:
        """One request.

        Raises:
            _Fault: there was no answer, or one that asks to come back later.
            LlmError: there was none in time, or the address is none.
        """
        try:
            async with (
                self._slots,
                self._connections().request(method, self._base_url + path, data=payload) as response,
            ):
                answer = _Answer(response.status, await response.read())
                later = response.headers.get("Retry-After", "")
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise LlmError(f"{self._base_url!r} is no address", f"correct {self._section}.base_url") from error
        except aiohttp.ConnectionTimeoutError as error:
            raise _Fault(f"cannot reach {self._base_url}: no connection within {CONNECT_TIMEOUT_S:g} s") from error
        except TimeoutError as error:
            problem = f"{self._base_url} gave no answer within {self._timeout.total:g} s"
            raise LlmError(problem, f"raise {self._section}.timeout_s, or lower concurrency", retryable=True) from error
        except (aiohttp.ClientError, OSError) as error:
            raise _Fault(f"cannot reach {self._base_url}: {_reason(error)}") from error
        if answer.status in (408, 429) or answer.status >= 500:
            problem = f"{self._base_url} fails with HTTP {answer.status}: {self._shown(answer.body)}"
            raise _Fault(problem, _seconds(later))
        return answer

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self._key.value:
                headers["Authorization"] = f"Bearer {self._key.value}"
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S)
            self._session = aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers=headers, timeout=self._timeout
            )
        return self._session

    def _refuse(self, answer: _Answer, path: str) -> NoReturn:
        if answer.status in (401, 403):
            why = "refuses the key" if self._key.value else "wants a key and none is set"
            name = self._key.variable
            place = f"put a valid one into the environment variable {name}, or a line {name}=… into .env"
            raise LlmError(f"{self._base_url} {why} (HTTP {answer.status})", place)
        if answer.status == 404:
            advice = f"{self._section}.base_url must end in the version, as in …/v1"
            raise LlmError(f"{self._base_url} has no {path}", advice)
        raise LlmError(f"{self._base_url} refuses the request (HTTP {answer.status}): {self._shown(answer.body)}")

    async def _refuse_model(self) -> None:
        """Raises with the server's models if it has some and ours is not among them."""
        try:
            names = read_models((await self._attempt("GET", "/models")).body)
        except (_Fault, LlmError, ValueError):
            return
        if self._name not in names:
            raise LlmError(self._unknown_model(names), f"correct {self._section}.name")

    def _unknown_model(self, names: tuple[str, ...]) -> str:
        near = get_close_matches(self._name, names, 1)
        meant = f"; did you mean {near[0]!r}?" if near else ""
        return f"{self._base_url} has no model {self._name!r}; it has: {', '.join(names) or 'none'}{meant}"

    def _shown(self, body: bytes) -> str:
        """The start of an answer, on one line and without the key."""
        text = " ".join(body.decode("utf-8", "replace").split())
        if self._key.value:
            text = text.replace(self._key.value, "***")
        return text[:200] or "(nothing)"


class _Answer(NamedTuple):
    status: int
    body: bytes


class _Fault(Exception):
    """What another attempt may mend; `pause_s` is how long the server wants to be left alone."""

    def __init__(self, problem: str, pause_s: float = 0.0) -> None:
        super().__init__(problem)
        self.pause_s = pause_s


def _reason(error: Exception) -> str:
    """Why a connection failed, without addresses of memory, sockets or classes."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unknown host"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _seconds(retry_after: str) -> float:
    """The pause of a Retry-After header, which is seconds or a date; 0 if it is neither."""
    try:
        if retry_after.strip().isdigit():
            return float(retry_after)
        return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
