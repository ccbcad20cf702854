"""Requests to one HTTP API, from many episodes at once, that can never leave the API's own address.

aiohttp with kept connections. What asking again can mend is asked again, with growing random pauses or the one the
server names, but a POST only where nothing can have been done yet. A redirect is followed for GET and only below the
base URL. Answers are JSON of limited size; they are asked for unpacked, so that a small answer cannot grow. An attempt
that ran out of time is not repeated: the server may still be at it.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import aiohttp
import orjson
from yarl import URL

from agentbench.errors import PreflightError, ToolError, ToolServerError
from agentbench.tools.http.spec import Method

FIRST_PAUSE_S = 0.2
"""Longest pause before the second attempt; it doubles with each further one, up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 10.0
"""A server that wants to be left alone for longer is not waited for."""
CONNECT_TIMEOUT_S = 5.0
IDLE_CONNECTION_S = 4.0
"""Idle connections are dropped after this time, before common servers do it while a request is on its way."""
MAX_BYTES = 8 * 1024 * 1024
"""Largest answer, in bytes."""
MAX_URL_CHARS = 8000
"""Longest address; servers commonly refuse request lines of more than 8 KiB."""
MAX_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOTHING_DONE = frozenset({429, 503})
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity", "Content-Type": "application/json"}


class HttpClient:
    """A client of the API at `base_url`. All its methods belong to one event loop."""

    def __init__(
        self,
        base_url: str,
        *,
        timeout_s: float = 30.0,
        max_retries: int = 2,
        max_connections: int = 64,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        """Nothing is sent yet. `timeout_s` is the longest time one attempt may take, waiting for a slot not included.

        Raises:
            PreflightError: `base_url` is no plain http or https address.
        """
        self._base = _base(base_url)
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        self._max_retries = max_retries
        self._max_bytes = max_bytes
        self._slots = asyncio.Semaphore(max_connections)
        self._session: aiohttp.ClientSession | None = None

    async def request(self, method: Method, path: str, query: str = "", body: bytes | None = None) -> Any:
        """The JSON value of the answer. `path` begins with a slash; it and `query` are percent-encoded already.

        Raises:
            ToolError: the address would leave the base URL or is too long; the server is slow, fails or refuses the
                call; its answer is no JSON, packed, or too large.
            ToolServerError: no connection to the server can be made.
        """
        url = self._below(URL(f"{self._base}{path}{'?' if query else ''}{query}", encoded=True))
        answer = await self._persist(method, url, body)
        for _ in range(MAX_REDIRECTS):
            if method is not Method.GET or answer.status not in _REDIRECTS or not answer.location:
                break
            url = self._below(_joined(url, answer.location))
            answer = await self._persist(method, url, body)
        return self._read(answer)

    async def close(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _below(self, url: URL) -> URL:
        """The address, if it stays below the base URL whatever a server makes of dots and slashes in it."""
        segments = url.path.replace("\\", "/").split("/")
        prefix = self._base.raw_path.rstrip("/")
        inside = url.origin() == self._base.origin() and (url.raw_path + "/").startswith(f"{prefix}/")
        if not inside or url.user or url.password or not {".", ".."}.isdisjoint(segments):
            raise ToolError("the call would lead out of the API's address")
        if len(str(url)) > MAX_URL_CHARS:
            raise ToolError(
                f"the arguments are too long: they make an address of more than {MAX_URL_CHARS:,} characters"
            )
        return url

    async def _persist(self, method: Method, url: URL, body: bytes | None) -> _Answer:
        """The first answer that is no fault, over all attempts."""
        attempt = 0
        while True:
            try:
                return await self._attempt(method, url, body)
            except _Fault as fault:
                repeatable = method is Method.GET or fault.nothing_done
                if attempt == self._max_retries or not repeatable or fault.pause_s > LONGEST_PAUSE_S:
                    tried = f"{fault} (attempts: {attempt + 1})"
                    if fault.unreachable:
                        raise ToolServerError(f"{self._base}: {tried}", "start the server, then resume") from fault
                    raise ToolError(tried) from fault
                pause = random.uniform(0, min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S))
                await asyncio.sleep(max(pause, fault.pause_s))
            attempt += 1

    async def _attempt(self, method: Method, url: URL, body: bytes | None) -> _Answer:
        try:
            async with (
                self._slots,
                self._connections().request(method, url, data=body, allow_redirects=False) as response,
            ):
                answer = _Answer(response.status, await self._content(response), response.headers)
        except aiohttp.ConnectionTimeoutError as error:
            problem = f"the server of this tool cannot be reached within {CONNECT_TIMEOUT_S:g} s"
            raise _Fault(problem, nothing_done=True, unreachable=True) from error
        except TimeoutError as error:
            raise ToolError(f"the server of this tool gave no answer within {self._timeout.total:g} s") from error
        except (aiohttp.ClientError, OSError) as error:
            problem = f"the server of this tool cannot be reached: {_reason(error)}"
            unconnected = isinstance(error, aiohttp.ClientConnectorError)
            raise _Fault(problem, nothing_done=unconnected, unreachable=unconnected) from error
        if answer.status in (408, 429) or answer.status >= 500:
            problem = f"the server of this tool fails with HTTP {answer.status}{answer.said}"
            raise _Fault(problem, answer.retry_after_s, nothing_done=answer.status in _NOTHING_DONE)
        return answer

    async def _content(self, response: aiohttp.ClientResponse) -> bytes:
        """The body, read no further than the limit."""
        if response.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ToolError("the server of this tool answers packed, although it was asked not to")
        found = bytearray()
        async for chunk in response.content.iter_any():
            found += chunk
            if len(found) > self._max_bytes:
                raise ToolError(f"the answer is larger than {self._max_bytes:,} bytes; ask for less")
        return bytes(found)

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_CONNECTION_S)
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_HEADERS,
                timeout=self._timeout,
                auto_decompress=False,
            )
        return self._session

    def _read(self, answer: _Answer) -> Any:
        if answer.status in _REDIRECTS:
            raise ToolError(f"the server of this tool only redirects (HTTP {answer.status})")
        if answer.status >= 400:
            raise ToolError(f"the server of this tool refuses the call (HTTP {answer.status}){answer.said}")
        try:
            return orjson.loads(answer.body)
        except orjson.JSONDecodeError as error:
            kind = answer.headers.get("Content-Type", "unnamed")[:80]
            raise ToolError(f"the server of this tool answers with no JSON ({kind})") from error


class _Answer(NamedTuple):
    status: int
    body: bytes
    headers: Mapping[str, str]

    @property
    def location(self) -> str:
        return self.headers.get("Location", "")

    @property
    def retry_after_s(self) -> float:
        """The pause of a Retry-After header, which is seconds or a date; 0 if it is neither."""
        text = self.headers.get("Retry-After", "").strip()
        try:
            if text.isdigit():
                return float(text)
            return (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return 0.0

    @property
    def said(self) -> str:
        """What the server says went wrong, on one line: its `error`, `detail` or `message`, else how it begins."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            value = None
        told = [value.get(key) for key in ("error", "detail", "message")] if isinstance(value, dict) else []
        text = next((item for item in told if isinstance(item, str)), self.body.decode("utf-8", "replace"))
        line = " ".join(text.split())[:300]
        return f": {line}" if line else ""


class _Fault(Exception):
    """What another attempt may mend."""

    def __init__(self, problem: str, pause_s: float = 0.0, *, nothing_done: bool, unreachable: bool = False) -> None:
        """`nothing_done`: the server cannot have carried the call out; `unreachable`: there was no connection to it."""
        super().__init__(problem)
        self.pause_s = pause_s
        self.nothing_done = nothing_done
        self.unreachable = unreachable


def _base(base_url: str) -> URL:
    problem = f"{base_url!r:.200} is no address of an API; it has the form https://host/prefix"
    try:
        url = URL(base_url.rstrip("/"))
        plain = url.scheme in ("http", "https") and url.host and url.port is not None
    except ValueError as error:
        raise PreflightError(problem, "correct base_url") from error
    if not plain or url.user or url.password or url.query_string or url.fragment:
        raise PreflightError(problem, "correct base_url")
    return url


def _joined(url: URL, location: str) -> URL:
    try:
        return url.join(URL(location)).with_fragment(None)
    except ValueError as error:
        raise ToolError("the server of this tool redirects to no address") from error


def _reason(error: Exception) -> str:
    """Why a connection failed, without addresses of memory, sockets or classes."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "unknown host"
    if isinstance(error, OSError) and error.errno and error.errno > 0:
        return os.strerror(error.errno)
    return (str(error) or type(error).__name__)[:200]
