"""A real server on this machine that answers as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from aiohttp import web

from agentbench.tools.http.client import HttpClient
from agentbench.tools.http.http_tools import http_tools
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.http.spec import HttpApi

T = TypeVar("T")
Reply = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


def reply(body: bytes | str = b"{}", status: int = 200, **headers: str) -> Reply:
    """An answer that is always the same; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}

    async def answer(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=named)

    return answer


class Server:
    """Gives its replies in order, the last one for ever, and keeps what it was asked."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies) or [reply()]
        self.seen: list[tuple[str, str]] = []
        """Methods and addresses as they came over the wire."""
        self.bodies: list[bytes] = []

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """One request."""
        self.seen.append((request.method, request.raw_path))
        self.bodies.append(await request.read())
        return await (self.replies.pop(0) if len(self.replies) > 1 else self.replies[0])(request)

    def run(self, use: Callable[[str], Coroutine[Any, Any, T]]) -> T:
        """Serves while something is done with its address."""

        async def main() -> T:
            runner = web.ServerRunner(web.Server(self.handle), shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            try:
                return await use(f"http://127.0.0.1:{runner.addresses[0][1]}")
            finally:
                await runner.cleanup()

        return asyncio.run(main())

    def call(self, document: dict[str, Any], arguments: dict[str, Any], prefix: str = "", **settings: Any) -> Any:
        """What the document's only tool says, as JSON."""

        async def use(base_url: str) -> Any:
            client = HttpClient(base_url + prefix, **settings)
            try:
                (tool,) = http_tools(HttpApi(base_url, read_openapi(document, "api")), client, 3)
                return json.loads((await tool.call(arguments)).text)
            finally:
                await client.close()

        return self.run(use)


def document(path: str = "/films", method: str = "get", **operation: Any) -> dict[str, Any]:
    """An OpenAPI document of one operation."""
    return {"openapi": "3.1.0", "info": {}, "paths": {path: {method: {"operationId": "films", **operation}}}}


def query(name: str, type_: str = "string", **more: Any) -> dict[str, Any]:
    """An optional parameter of a query."""
    return {"name": name, "in": "query", "schema": {"type": type_}, **more}


def in_path(name: str) -> dict[str, Any]:
    """A parameter that is part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
