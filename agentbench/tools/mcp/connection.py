"""One MCP server, connected: opened, called and closed from any task of the event loop.

The SDK ties a connection to the task that opened it. Here that is a task of the connection's own, which opens, waits
until it is told to stop, and closes; calls only hand messages to it, and any number may be under way.

One session serves everybody: a server that remembers something between calls remembers it for all episodes of a run.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

from agentbench.config.env import HttpServer, McpServer, StdioServer
from agentbench.config.secrets import redacted
from agentbench.errors import PreflightError, ToolError, ToolServerError
from agentbench.tools.mcp.failures import Problem, Verdict, opening_problem, verdict
from agentbench.tools.mcp.results import one_line, result_text, without
from agentbench.tools.mcp.transports import REFUSALS, Life, address, place, program, secrets_of

if TYPE_CHECKING:
    from mcp import Client, MCPError
    from mcp.types import CallToolResult, Tool

MOST_PAGES = 1000
"""A tool list of more pages is taken for one that never ends."""
CLOSE_TIMEOUT_S = 10.0
"""Longest time a session may take to end, in seconds; ending a program takes 7 s at most."""


class _Opened(NamedTuple):
    client: Client
    tools: tuple[Tool, ...]


class Connection:
    """A server of the configuration. After it was lost, the next call tries once to connect again."""

    def __init__(self, name: str, server: McpServer) -> None:
        self.label = f"MCP server {name!r} ({place(server)})"
        self._section = f"env.servers.{name}"
        self._server = server
        self._secrets: tuple[str, ...] = ()
        self._lock = asyncio.Lock()
        self._owner: asyncio.Task[None] | None = None
        self._stop = asyncio.Event()
        self._life = Life()
        self._client: Client | None = None
        self._closed = False

    async def open(self) -> tuple[Tool, ...]:
        """Connects and gives the server's tools, all pages of them; all of it within the time of one call.

        Raises:
            PreflightError: the server cannot be started or reached, refuses the key, is no MCP server, or takes too
                long.
        """
        self._secrets = secrets_of(self._server)
        self._life, self._stop = Life(), asyncio.Event()
        ready: asyncio.Future[_Opened] = asyncio.get_running_loop().create_future()
        self._owner = owner = asyncio.create_task(self._own(ready), name=self.label)
        failure: BaseException | None = None
        try:
            await asyncio.wait({ready, owner}, timeout=self._server.timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if not ready.done():
                owner.cancel()
                failure = await self._end()
        if not ready.done():
            problem = self._told(opening_problem(failure, self._server, self._life, self._section))
            raise PreflightError(f"{self.label} {problem.text}", problem.next_step)
        self._client, tools = ready.result()
        return tools

    async def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """What the server's tool gives, as an agent reads it.

        Raises:
            ToolError: the tool fails, refuses its arguments, gives no answer in time, or gives one that its own output
                schema does not allow.
            ToolServerError: the server was lost during the call, or before and could not be had again.
        """
        client = await self._connected()
        result = await self._answer(client, tool, arguments)
        text = without(result_text(result), self._secrets)
        if result.is_error:
            raise ToolError(one_line(text) or "the tool failed and did not say why")
        return text

    async def close(self) -> None:
        """Ends the session for good; a program gets its input closed, then 2 s, then SIGTERM, then SIGKILL."""
        self._closed = True
        self._client = None
        await self._end()

    async def _own(self, ready: asyncio.Future[_Opened]) -> None:
        from mcp import Client

        REFUSALS.set(self._life.refusals)
        match self._server:
            case StdioServer() as server:
                transport = program(server, self._life)
            case HttpServer() as server:
                transport = address(server)
        async with Client(transport, cache=None) as client:
            ready.set_result(_Opened(client, await _all_tools(client)))
            await self._stop.wait()

    async def _end(self) -> BaseException | None:
        """Has the owner close what it opened; gives what it died of, where it did."""
        owner, self._owner = self._owner, None
        if owner is None:
            return None
        self._stop.set()
        await asyncio.wait({owner}, timeout=CLOSE_TIMEOUT_S)
        owner.cancel()  # an address that does not answer is left as it is; a program is gone by now
        await asyncio.wait({owner})
        return None if owner.cancelled() else owner.exception()

    async def _connected(self) -> Client:
        async with self._lock:
            if self._closed:
                raise ToolServerError(f"{self.label} is closed")
            dead = self._life.ended.is_set() or self._owner is None or self._owner.done()
            if self._client is None or dead:
                self._client = None
                await self._end()
                try:
                    await self.open()
                except PreflightError as error:
                    raise ToolServerError(f"{error} (it was lost before)", error.next_step) from None
            assert self._client is not None
            return self._client

    async def _answer(self, client: Client, tool: str, arguments: dict[str, Any]) -> CallToolResult:
        from mcp import MCPError
        from pydantic import ValidationError

        refusals: list[int] = []
        REFUSALS.set(refusals)
        try:
            async with asyncio.timeout(self._server.timeout_s):
                return await client.call_tool(tool, arguments)
        except TimeoutError:
            raise ToolError(f"no answer within {self._server.timeout_s:g} s") from None
        except MCPError as error:
            raise await self._failure(error, client, refusals) from None
        except ValidationError:
            raise ToolServerError(f"{self.label} answers with something that is no result") from None
        except RuntimeError as error:  # the SDK's word for a result that the tool's own output schema does not allow
            if self._client is not client:
                raise await self._lost(client, refusals) from None
            raise ToolError(one_line(without(str(error), self._secrets), 300)) from None

    async def _failure(self, error: MCPError, client: Client, refusals: list[int]) -> ToolError | ToolServerError:
        match verdict(error, client, refusals):
            case Verdict.TOOL:
                return ToolError(one_line(without(error.message, self._secrets)))
            case Verdict.REFUSED:
                return ToolServerError(f"{self.label} refuses a call (HTTP {refusals[-1]})", "see the server's log")
            case Verdict.LOST:
                return await self._lost(client, refusals)

    async def _lost(self, client: Client, refusals: list[int]) -> ToolServerError:
        """Ends what is left of a session, unless another call did, and says why it is gone."""
        async with self._lock:
            if self._client is client:
                self._client = None
                await self._end()
        status = f" (HTTP {refusals[-1]})" if refusals else ""
        problem = self._told(Problem(f"was lost during a call{status}", ""))
        return ToolServerError(f"{self.label} {problem.text}", "see the server's log")

    def _told(self, problem: Problem) -> Problem:
        """The problem with the program's last words and without secrets."""
        said = f"; it said last: {self._life.last_words!r}" if self._life.last_words else ""
        return Problem(redacted(without(f"{problem.text}{said}", self._secrets)), problem.next_step)


async def _all_tools(client: Client) -> tuple[Tool, ...]:
    """The tools of every page.

    Raises:
        MCPError: the server cannot list tools, or its list has more than `MOST_PAGES` pages.
    """
    from mcp import MCPError
    from mcp.types import INTERNAL_ERROR

    tools: list[Tool] = []
    cursor: str | None = None
    for _ in range(MOST_PAGES):
        page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tuple(tools)
    raise MCPError(INTERNAL_ERROR, f"its list of tools has more than {MOST_PAGES} pages")
