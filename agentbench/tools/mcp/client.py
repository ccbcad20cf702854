"""Tools of any MCP servers, for environments that know nothing of MCP.

Every tool is of kind `api`: what a server says about its tools is its own claim, and neither rules nor availability
shall hang on a stranger's word.

The servers belong to a run, not to an episode. What one remembers between calls is seen by every episode; and one that
was lost and started again has forgotten it. Answers count as they come: a tool that reads a clock or the web gives
another episode on another day.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentbench.config.env import McpServer
from agentbench.errors import PreflightError, ToolError
from agentbench.tools import Tool
from agentbench.tools.mcp.connection import Connection
from agentbench.tools.mcp.names import Listed, legal_names
from agentbench.tools.mcp.results import one_line
from agentbench.tools.mcp.schemas import schema_problem
from agentbench.types import Observation, ToolKind, ToolSpec

if TYPE_CHECKING:
    from mcp import types


class McpServers:
    """All servers of a configuration, opened together. Belongs to the event loop it is opened on."""

    def __init__(self, servers: Mapping[str, McpServer]) -> None:
        self._servers = dict(servers)
        self._connections: tuple[Connection, ...] = ()
        self._tools: tuple[Tool, ...] = ()

    @property
    def tools(self) -> tuple[Tool, ...]:
        """Every tool of every server, in the servers' order; empty before `open`."""
        return self._tools

    async def open(self) -> None:
        """Starts or reaches every server and lists its tools. When one fails, all are closed again.

        Raises:
            PreflightError: the `mcp` package is not installed, a server cannot be used, or one of its tools cannot be
                offered: its argument schema is wrong or it is listed twice.
        """
        require_sdk()
        self._connections = tuple(Connection(name, server) for name, server in self._servers.items())
        try:
            opening = (connection.open() for connection in self._connections)
            found = await asyncio.gather(*opening, return_exceptions=True)
            listed = [_tools_or_raise(tools) for tools in found]
            self._tools = _offered(tuple(self._servers), self._connections, listed)
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Ends every session and every program that was started. May be called at any time, more than once."""
        self._tools = ()
        await asyncio.gather(*(connection.close() for connection in self._connections))


class _McpTool:
    """One tool of one server."""

    def __init__(self, spec: ToolSpec, connection: Connection, name: str) -> None:
        self.spec = spec
        self._connection = connection
        self._name = name

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """What the server answers; see `result_text` for what an agent gets to read of it.

        Raises:
            ToolError: the tool or its server refuses, or the arguments are no text that JSON can carry.
            ToolServerError: the server is gone. Meant for the episode's record, not for the agent.
        """
        try:
            json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode()
        except ValueError as error:
            raise ToolError(f"the arguments cannot be sent: {one_line(str(error), 200)}") from None
        return Observation(await self._connection.call(self._name, arguments))


def require_sdk() -> None:
    """Makes sure that the SDK is there, before anything is started.

    Raises:
        PreflightError: the package is not installed.
    """
    try:
        import mcp  # noqa: F401
    except ModuleNotFoundError:
        raise PreflightError(
            "MCP needs the package mcp, which is not installed", "pip install 'agentbench[mcp]'"
        ) from None


def _tools_or_raise(found: tuple[types.Tool, ...] | BaseException) -> tuple[types.Tool, ...]:
    if isinstance(found, BaseException):
        raise found
    return found


def _offered(
    servers: tuple[str, ...], connections: tuple[Connection, ...], listed: list[tuple[types.Tool, ...]]
) -> tuple[Tool, ...]:
    """The tools under the names that agents use.

    Raises:
        PreflightError: a server has no tools, or one that cannot be offered.
    """
    for connection, tools in zip(connections, listed, strict=True):
        _check(connection, tools)
    pairs = [(connection, tool) for connection, tools in zip(connections, listed, strict=True) for tool in tools]
    known = [Listed(server, tool.name) for server, tools in zip(servers, listed, strict=True) for tool in tools]
    return tuple(
        _McpTool(_spec(name, tool), connection, tool.name)
        for name, (connection, tool) in zip(legal_names(known), pairs, strict=True)
    )


def _check(connection: Connection, tools: tuple[types.Tool, ...]) -> None:
    if not tools:
        raise PreflightError(f"{connection.label} has no tools")
    names = [tool.name for tool in tools]
    for tool in tools:
        shown = one_line(tool.name, 100)
        if names.count(tool.name) > 1:
            raise PreflightError(f"{connection.label} lists the tool {shown!r} {names.count(tool.name)} times")
        if problem := schema_problem(tool.input_schema):
            raise PreflightError(f"{connection.label} has a tool {shown!r} whose argument schema is wrong: {problem}")


def _spec(name: str, tool: types.Tool) -> ToolSpec:
    parameters = {"type": "object", "properties": {}, **tool.input_schema}
    return ToolSpec(name, tool.description or tool.title or "", parameters, ToolKind.API)
