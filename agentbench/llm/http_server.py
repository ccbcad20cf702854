"""One HTTP server and single attempts at it: every way an attempt can go wrong becomes a `Fault` or one clear error.

aiohttp and orjson instead of the official client, which costs some twenty times the CPU per request. An attempt takes a
slot before its clock starts, so that waiting for a slot is never a time-out; slots are given in the order of asking.
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import aiohttp

from agentbench.errors import LlmError, PreflightError
from agentbench.llm.faults import Fault, FaultKind
from agentbench.llm.keys import ApiKey

CONNECT_TIMEOUT_S = 10.0
IDLE_CONNECTION_S = 4.0
"""Idle connections are dropped after this time, before vLLM's server does it (5 s) while a request is on its way."""
PROBE_TIMEOUT_S = 5.0
OTHER_FILES = 256
"""Open files that a process needs beside its connections: databases, indexes, logs, servers."""


class Answer(NamedTuple):
    """An answer that is no fault; its status may still be a refusal."""

    status: int
    body: bytes
    sent: float
    """When its request got a slot, as `time.perf_counter` counts."""


def make_room(connections: int) -> None:
    """Raises this process's limit of open files as far as so many connections need it.

    Raises:
        PreflightError: the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = connections + OTHER_FILES
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        problem = f"{connections} connections at once need {needed} open files; the system allows this process {hard}"
        raise PreflightError(problem, "set model.max_connections lower, or raise the limit: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class HttpServer:
    """The server at a base URL. All methods belong to one event loop."""

    def __init__(self, base_url: str, key: ApiKey, *, timeout_s: float, max_connections: int, section: str) -> None:
        """`section` is the dotted key of the configuration that these settings are from; advice names it."""
        self.base_url = base_url.rstrip("/")
        self.key = key
        self._section = section
        self._timeout_s = timeout_s
        self._dead = f"start the server, see its log, or correct {section}.base_url"
        self._slots = asyncio.Semaphore(max_connections)
        self.max_connections = max_connections
        self._session: aiohttp.ClientSession | None = None

    async def attempt(self, method: str, path: str, payload: bytes | None = None) -> Answer:
        """One request.

        Raises:
            Fault: there was no answer, or one that asks to come back later.
            LlmError: the address is none.
        """
        try:
            async with self._slots:
                sent = time.perf_counter()
                async with self._connections().request(method, self.base_url + path, data=payload) as response:
                    answer = Answer(response.status, await response.read(), sent)
                    later = response.headers.get("Retry-After", "") if response.status >= 400 else ""
        except (aiohttp.ClientError, OSError) as error:  # a time-out is an OSError
            raise self._fault(error) from error
        if answer.status in (408, 429) or answer.status >= 500:
            problem = f"{self.base_url} fails with HTTP {answer.status}: {self.shown(answer.body)}"
            raise Fault(_kind(answer.status), problem, self._dead, _seconds(later))
        return answer

    async def is_up(self) -> bool:
        """Whether it answers at all, whatever it says, as long as it does not speak of faults of its own."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_S), self._connections().get(f"{self.base_url}/models") as response:
                return response.status < 500
        except (aiohttp.ClientError, OSError):
            return False

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def shown(self, body: bytes) -> str:
        """The start of an answer, on one line and without the key."""
        text = " ".join(body[:2000].decode("utf-8", "replace").split())
        if self.key.value:
            text = text.replace(self.key.value, "***")
        return text[:200] or "(nothing)"

    def _fault(self, error: Exception) -> Fault | LlmError:
        match error:
            case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
                return LlmError(f"{self.base_url!r} is no address", f"correct {self._section}.base_url")
            case aiohttp.ConnectionTimeoutError():
                problem = f"cannot reach {self.base_url}: no connection within {CONNECT_TIMEOUT_S:g} s"
                return Fault(FaultKind.UNREACHABLE, problem, self._dead)
            case TimeoutError():
                problem = f"{self.base_url} gave no answer within {self._timeout_s:g} s"
                advice = f"raise {self._section}.timeout_s, or lower concurrency"
                return Fault(FaultKind.TIMEOUT, problem, advice)
            case aiohttp.ClientConnectorError():
                return Fault(FaultKind.UNREACHABLE, f"cannot reach {self.base_url}: {_reason(error)}", self._dead)
            case _:
                return Fault(FaultKind.CUT, f"cannot reach {self.base_url}: {_reason(error)}", self._dead)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self.key.value:
                headers["Authorization"] = f"Bearer {self.key.value}"
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._timeout_s, sock_connect=CONNECT_TIMEOUT_S),
            )
        return self._session


def _kind(status: int) -> FaultKind:
    match status:
        case 429:
            return FaultKind.RATE_LIMITED
        case 408:
            return FaultKind.TIMEOUT
        case _:
            return FaultKind.SERVER_ERROR


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
