"""How messages reach a server of somebody else: a program that is started, or an address.

Programs are not started on Windows, whose event loop cannot watch their error output.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from agentbench.app.children import wrapped
from agentbench.config.env import HttpServer, McpServer, StdioServer
from agentbench.config.secrets import names_secret, redacted
from agentbench.errors import PreflightError
from agentbench.llm.keys import ApiKey, read_key
from agentbench.tools.mcp.results import one_line

KEPT_STDERR_BYTES = 4096
"""How much of a program's error output is remembered, for the line that says why it ended."""
_SHOWN_STDERR_CHARS = 300
CONNECT_TIMEOUT_S = 10.0
MOST_EVENT_BYTES = 64 * 2**20
"""Largest answer over HTTP that is read, where it is sent as an event."""
IDLE_CONNECTION_S = 4.0
"""Idle connections are dropped after this time, before the usual servers do it (5 s) while a request is on its way."""

REFUSALS: ContextVar[list[int]] = ContextVar("REFUSALS")
"""HTTP statuses of 400 and above that requests made from here were answered with: the SDK tells an error of the server
from one of something before it by nothing else. Whoever makes a request sets a list of its own first."""


def place(server: McpServer) -> str:
    """Where a server is, for messages: its command or address, without passwords that are seen to be some."""
    match server:
        case StdioServer(command=command):
            return redacted(one_line(" ".join(command), 200))
        case HttpServer(url=url):
            return redacted(url)


@dataclass
class Life:
    """What becomes of one connection, told by its transport."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a program closes its standard output."""
    last_words: str = ""
    """After the end: what a program wrote last to its standard error, on one line."""
    refusals: list[int] = field(default_factory=list)
    """HTTP statuses of 400 and above before the first call."""


class _StandardError:
    """The end of what a program writes to its standard error, read as it comes so that the program never waits."""

    def __init__(self) -> None:
        self._read, write = os.pipe()
        os.set_blocking(self._read, False)
        self.file = os.fdopen(write, "w")
        self._kept = b""
        asyncio.get_running_loop().add_reader(self._read, self._take)

    def close(self) -> str:
        """Stops reading; gives the last words."""
        self._take()
        asyncio.get_running_loop().remove_reader(self._read)
        os.close(self._read)
        self.file.close()
        text = " ".join(self._kept.decode("utf-8", "replace").split())
        return text if len(text) <= _SHOWN_STDERR_CHARS else f"… {text[-_SHOWN_STDERR_CHARS:]}"

    def _take(self) -> None:
        try:
            while data := os.read(self._read, 65536):
                self._kept = (self._kept + data)[-KEPT_STDERR_BYTES:]
            asyncio.get_running_loop().remove_reader(self._read)
        except BlockingIOError:
            pass  # all there is for now


@asynccontextmanager
async def program(server: StdioServer, life: Life) -> AsyncIterator[Any]:
    """The streams to a program, which is started in a session of its own and ended with the context.

    It gets the named environment variables and, of all others, those that the SDK lets pass: PATH, HOME, USER and the
    like.

    Raises:
        PreflightError: a named variable is not set, or its folder is not there.
    """
    from mcp.client.stdio import StdioServerParameters, stdio_client

    if server.cwd is not None and not server.cwd.is_dir():
        raise PreflightError(f"no folder {str(server.cwd)!r} to run it in", "correct its cwd")
    command, *arguments = wrapped(list(server.command))  # the SDK starts it itself, and lets nobody in between
    variables = {name: needed_key(name).value for name in server.env}
    parameters = StdioServerParameters(command=command, args=arguments, env=variables, cwd=server.cwd)
    standard_error = _StandardError()
    try:
        async with stdio_client(parameters, standard_error.file) as (read, write):
            yield _Watched(read, life.ended), write
    finally:
        life.last_words = standard_error.close()


def needed_key(variable: str) -> ApiKey:
    """The value of an environment variable or of a line in `.env`.

    Raises:
        PreflightError: it has none.
    """
    key = read_key(variable)
    if not key.value:
        raise PreflightError(f"the variable {variable} is not set", f"export {variable}=…, or a line in .env")
    return key


def secrets_of(server: McpServer) -> tuple[str, ...]:
    """What must never be shown of what a server was given."""
    match server:
        case StdioServer(env=names):
            return tuple(read_key(name).value for name in names if names_secret(name))
        case HttpServer(api_key_env=name):
            return (read_key(name).value,) if name else ()


@asynccontextmanager
async def address(server: HttpServer) -> AsyncIterator[Any]:
    """The streams to a server over streamable HTTP; see `REFUSALS`.

    Raises:
        PreflightError: the variable with its key is not set.
    """
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def note(response: httpx2.Response) -> None:
        if response.status_code >= 400:
            REFUSALS.get().append(response.status_code)

    key = needed_key(server.api_key_env) if server.api_key_env else None
    headers = {"Authorization": f"Bearer {key.value}"} if key else {}
    # How long an answer may take, and how many calls run at once, is the caller's to say.
    timeout = httpx2.Timeout(CONNECT_TIMEOUT_S, read=None, pool=None)
    limits = httpx2.Limits(max_connections=None, keepalive_expiry=IDLE_CONNECTION_S)
    async with (
        httpx2.AsyncClient(headers=headers, timeout=timeout, limits=limits, event_hooks={"response": [note]}) as http,
        streamable_http_client(server.url, http_client=http, max_sse_event_size=MOST_EVENT_BYTES) as streams,
    ):
        yield streams


class _Watched:
    """A stream of messages that tells of its end, which the SDK keeps to itself until somebody asks for something."""

    def __init__(self, messages: Any, ended: asyncio.Event) -> None:
        self._messages = messages
        self._ended = ended

    async def receive(self) -> Any:
        return await self._messages.receive()

    async def aclose(self) -> None:
        await self._messages.aclose()

    def __aiter__(self) -> _Watched:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._messages.__anext__()
        except StopAsyncIteration:
            self._ended.set()
            raise

    async def __aenter__(self) -> _Watched:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._messages.aclose()
