"""The transports of our own servers: standard input and output for one client, HTTP for many.

HTTP asks nobody who they are. On a loopback address only this machine's programs get through, web pages in its browser
not among them: a request has to name a host that is meant. On any other address everybody who reaches it is served.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from agentbench.errors import PreflightError

if TYPE_CHECKING:
    import anyio
    import uvicorn
    from mcp.server import Server
    from mcp.server.transport_security import TransportSecuritySettings
    from starlette.applications import Starlette

LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")
STOP_TIMEOUT_S = 3
"""Longest time that requests under way may take to finish after the server was told to stop, in seconds."""
_READ_AT_ONCE_BYTES = 65536


async def serve_stdio(server: Server[Any]) -> None:
    """Serves the program at the other end of our standard streams until it closes ours.

    Meanwhile whatever is printed goes to standard error. Cancelling ends it at once, though a read may be under way.
    """
    from mcp.server.stdio import stdio_server

    lines = cast("anyio.AsyncFile[str]", _lines(sys.stdin.fileno()))  # all that the SDK does with it is iterate
    async with stdio_server(stdin=lines) as (read, write):
        await server.run(read, write, server.create_initialization_options())


async def _lines(descriptor: int) -> AsyncIterator[str]:
    """What is read, line by line. A thread of its own reads, which may be left waiting: the SDK's would hold us up."""
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[bytes] = asyncio.Queue()

    def read() -> None:
        data = b"-"
        with suppress(RuntimeError):  # nobody waits any more: the loop is closed
            while data:
                data = os.read(descriptor, _READ_AT_ONCE_BYTES)
                loop.call_soon_threadsafe(queue.put_nowait, data)

    threading.Thread(target=read, daemon=True, name="standard input").start()
    begun = b""
    while data := await queue.get():
        *whole, begun = (begun + data).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens already, so that its address can be told before anything is served.

    Raises:
        PreflightError: the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        problem = (error.strerror or str(error)).partition(" (")[0]
        raise PreflightError(f"cannot listen on {host}:{port}: {problem}", "serve.port=0 takes a free one") from None


def url(listening: socket.socket, host: str, name: str) -> str:
    """The address of one of the servers on a listening socket."""
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listening.getsockname()[1]}/mcp/{name}"


async def serve_http(servers: Mapping[str, Server[Any]], listening: socket.socket, host: str) -> None:
    """Serves each server at `/mcp/<its name>` until cancelled; then sessions are ended and requests have 3 s."""
    from starlette.applications import Starlette

    security = _security(host)
    routes = [
        route
        for name, server in servers.items()
        for route in server.streamable_http_app(streamable_http_path=f"/mcp/{name}", transport_security=security).routes
    ]
    web = _web_server(Starlette(routes=routes))
    serving: set[asyncio.Task[None]] = set()
    try:
        async with AsyncExitStack() as sessions:
            for server in servers.values():
                await sessions.enter_async_context(server.session_manager.run())
            serving.add(asyncio.create_task(web.serve(sockets=[listening])))
            await asyncio.shield(*serving)
    finally:  # sessions are over: no stream is left that a client holds open
        web.should_exit = True
        if serving:
            await asyncio.wait(serving)


def _web_server(app: Starlette) -> uvicorn.Server:
    import uvicorn

    class Unsignalled(uvicorn.Server):
        """Stops when it is told to; signals are the business of who runs the loop."""

        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=STOP_TIMEOUT_S
    )
    return Unsignalled(config)


def _security(host: str) -> TransportSecuritySettings:
    from mcp.server.transport_security import TransportSecuritySettings

    if host in EVERYWHERE:
        return TransportSecuritySettings(enable_dns_rebinding_protection=False)
    meant = LOOPBACK if host in LOOPBACK else (host,)
    shown = [f"[{name}]" if ":" in name else name for name in meant]
    hosts = [name for host in shown for name in (host, f"{host}:*")]
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])
