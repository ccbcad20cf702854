"""Servers of somebody else: one in plain Python as a process, and ones written with the SDK over real HTTP."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import pytest
from mcp import types
from mcp.server import Server

from agentbench.config.env import McpServer, StdioServer
from agentbench.tools import Tool
from agentbench.tools.mcp.client import McpServers
from agentbench.tools.mcp.serving import listen, serve_http, url

PLAIN = Path(__file__).parent / "plain_server.py"

Plain = Callable[..., StdioServer]
Connect = Callable[..., AbstractAsyncContextManager[dict[str, Tool]]]
ServeSdk = Callable[[Mapping[str, Server[Any]]], AbstractAsyncContextManager[Mapping[str, str]]]


Opened = Callable[..., AbstractAsyncContextManager["Gate"]]
OBJECT = {"type": "object", "properties": {"text": {"type": "string"}}}


async def said(tool: Tool, text: str = "") -> str:
    return (await tool.call({"text": text})).text


async def failure(kind: type[Exception], tool: Tool, text: str = "") -> str:
    with pytest.raises(kind) as found:
        await said(tool, text)
    return str(found.value)


def sdk_server(call_tool: Callable[..., Coroutine[Any, Any, Any]], *tools: types.Tool) -> Server[Any]:
    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(tools or [types.Tool(name="echo", input_schema=OBJECT)]))

    return Server("odd", on_list_tools=list_tools, on_call_tool=call_tool)


async def nothing(_context: Any, _params: Any) -> types.CallToolResult:
    return types.CallToolResult(content=[])


def children(parent: int) -> list[str]:
    listed = subprocess.run(["ps", "-wweo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return [pid for pid, above, command in rows if above == str(parent) and str(PLAIN) in command]


@pytest.fixture
def plain() -> Callable[..., StdioServer]:
    """`plain(mode, timeout_s=…)`: the server in plain Python."""
    return lambda mode="", **settings: StdioServer(
        command=(sys.executable, "-I", "-S", str(PLAIN), mode), **{"timeout_s": 20.0, **settings}
    )


@pytest.fixture
def connect() -> Connect:
    """`async with connect(name=server) as tools`: the servers' tools by name."""

    @asynccontextmanager
    async def opened(**servers: McpServer) -> AsyncIterator[dict[str, Tool]]:
        found = McpServers(servers)
        try:
            await found.open()
            yield {tool.spec.name: tool for tool in found.tools}
        finally:
            await found.close()

    return opened


@pytest.fixture
def serve_sdk() -> ServeSdk:
    """`async with serve_sdk({name: server}) as urls`: servers on loopback."""

    @asynccontextmanager
    async def served(servers: Mapping[str, Server[Any]]) -> AsyncIterator[Mapping[str, str]]:
        with listen("127.0.0.1", 0) as listening:
            serving = asyncio.create_task(serve_http(servers, listening, "127.0.0.1"))
            try:
                yield {name: url(listening, "127.0.0.1", name) for name in servers}
            finally:
                serving.cancel()
                with suppress(asyncio.CancelledError):
                    await serving
                assert not [task for task in asyncio.all_tasks() if "Server.serve" in repr(task.get_coro())]

    return served


class Gate:
    """Passes connections on to an address until it is shut; then every request gets a status, or no
    answer at all where the status is `silence`."""

    def __init__(self, url: str, status: str) -> None:
        self._to, _, path = url.removeprefix("http://").partition("/")
        self._path = path
        self.status = status
        self._open: set[asyncio.StreamWriter] = set()

    async def start(self) -> asyncio.Server:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{self._path}"
        return server

    def shut(self, status: str) -> None:
        """From now on, also for connections that are open."""
        self.status = status
        for writer in self._open:
            writer.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with closing(writer), suppress(ConnectionError, asyncio.IncompleteReadError):
            if self.status == "silence":
                await reader.read()
            elif self.status:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(f"HTTP/1.1 {self.status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
            if self.status:
                return
            there, to = await asyncio.open_connection(*self._to.split(":"))
            with closing(to):
                await asyncio.gather(_pass_on(reader, to), _pass_on(there, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.fixture
def gate() -> Callable[..., AbstractAsyncContextManager[Gate]]:
    """`async with gate(url, status) as gate`: `gate.url` leads to `url` while its status is empty."""

    @asynccontextmanager
    async def opened(url: str, status: str = "") -> AsyncIterator[Gate]:
        made = Gate(url, status)
        async with await made.start():
            yield made
            made.shut("503 Gone")

    return opened
