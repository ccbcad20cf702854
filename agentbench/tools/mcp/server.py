"""Our tools as an MCP server: each session is an episode of its own, with tools made for it.

Questions are resources, for agents that shall work through them: `agentbench://tasks/<id>` holds what an agent of ours
is told and nothing more. Gold never gets there, because a question is built from the fields that may be shown.

A session is not bound to a task. So rules and availability are words in a question, and no call is refused for them;
a call that was made before is carried out again.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import orjson

from agentbench.config.suggest import did_you_mean
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.types import Outcome, Task, ToolSpec

if TYPE_CHECKING:
    from mcp import types
    from mcp.server import Server
    from mcp.server.context import CallNext, HandlerResult, ServerRequestContext

RESOURCES_PER_PAGE = 200
SCHEME = "agentbench://tasks/"
INSTRUCTIONS = (
    "The tools of one episode over a database and documents. Handles that a tool gives are known in this session only; "
    "a new session starts afresh. The resources are questions that can be answered with these tools: answer the turns "
    "of one in their order, in a session of its own, and keep to its rules."
)


class Served(NamedTuple):
    """What a server offers."""

    name: str
    make_tools: Callable[[], Sequence[Tool]]
    """Makes the tools of one session; their specs are the same every time."""
    tasks: Sequence[Task] = ()
    """Those whose questions are offered."""


ArgumentCheck = Callable[[ToolSpec, dict[str, Any]], str]
"""What is wrong with the arguments of a call; empty when nothing is."""


def mcp_server(served: Served, argument_problem: ArgumentCheck, *, sessions: bool) -> Server[Any]:
    """The server, to be run over one of `serving`'s transports.

    `sessions` says whether its transport has many sessions at once, as HTTP has. Then clients of protocol 2026-07-28
    and later, which knows none, are told to use an earlier one; the SDK's own client does so by itself.
    """
    from mcp.server import Server

    offer = _Offer(served, argument_problem, sessions)
    server: Server[Any] = Server(
        f"agentbench-{served.name}",
        version=version("agentbench"),
        instructions=INSTRUCTIONS,
        get_tool_input_schema=lambda name: None,  # asked only for the protocol versions that are refused
        on_list_tools=offer.list_tools,
        on_call_tool=offer.call_tool,
        on_list_resources=offer.list_resources,
        on_read_resource=offer.read_resource,
    )
    if sessions:
        server.middleware.append(_with_session)
    return server


def question(task: Task) -> dict[str, Any]:
    """What an agent is told about a task, turns to come included; nothing of its gold and none of its data."""
    return {
        "id": task.id,
        "domain": task.domain,
        "rules": [rule.text for rule in task.rules],
        "tools_allowed": None if task.tools_allowed is None else [kind.value for kind in task.tools_allowed],
        "earlier": [{"query": exchange.query, "answer": exchange.answer} for exchange in task.earlier],
        "turns": [turn.query for turn in task.turns],
    }


class _Episode:
    """The tools of one session; calls are carried out one after the other, as in an episode."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = {tool.spec.name: tool for tool in tools}
        self.turn = asyncio.Lock()


class _Offer:
    """The answers to a client's requests."""

    def __init__(self, served: Served, argument_problem: ArgumentCheck, sessions: bool) -> None:
        self._served = served
        self._argument_problem = argument_problem
        self._sessions = sessions
        self._specs = tuple(tool.spec for tool in served.make_tools())
        self._episodes: dict[int, _Episode] = {}
        self._tasks = {f"{SCHEME}{quote(task.id, safe='')}": task for task in served.tasks}

    async def list_tools(self, _context: Any, _params: Any) -> types.ListToolsResult:
        """All tools, on one page."""
        from mcp import types

        tools = [
            types.Tool(name=spec.name, description=spec.description, input_schema=spec.parameters)
            for spec in self._specs
        ]
        return types.ListToolsResult(tools=tools)

    async def call_tool(
        self, context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """An observation: its text, and as structured content where it is a JSON object; misuse is an error result."""
        from mcp import MCPError, types

        episode = self._episode(context)
        tool = episode.tools.get(params.name)
        if tool is None:
            name = params.name[:100]
            raise MCPError(types.INVALID_PARAMS, f"there is no tool {name!r}{did_you_mean(name, episode.tools)}")
        arguments = params.arguments or {}
        if problem := self._argument_problem(tool.spec, arguments):
            return _error(problem)
        async with episode.turn:
            try:
                observation = await tool.call(arguments)
            except ToolError as error:
                return _error(str(error))
        return _result(observation.text, failed=observation.outcome is not Outcome.OK)

    async def list_resources(
        self, _context: Any, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """The questions, `RESOURCES_PER_PAGE` to a page."""
        from mcp import types

        start = self._start(params.cursor if params else None)
        page = list(self._tasks.items())[start : start + RESOURCES_PER_PAGE]
        end = start + len(page)
        return types.ListResourcesResult(
            resources=[types.Resource(uri=uri, name=task.id, mime_type="application/json") for uri, task in page],
            next_cursor=str(end) if end < len(self._tasks) else None,
        )

    async def read_resource(self, _context: Any, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        """One question as JSON."""
        from mcp import MCPError, types

        task = self._tasks.get(params.uri)
        if task is None:
            raise MCPError(types.INVALID_PARAMS, f"there is no question {params.uri[:200]!r}")
        text = orjson.dumps(question(task)).decode()
        contents = types.TextResourceContents(uri=params.uri, mime_type="application/json", text=text)
        return types.ReadResourceResult(contents=[contents])

    def _episode(self, context: ServerRequestContext[Any, Any]) -> _Episode:
        """The episode of a request's session, made at the first call and dropped with the session.

        A session is known by what its client said at the start: one object for each, which lives as long as it.
        """
        opening = context.session.client_params if self._sessions else self
        key = id(opening)
        if key not in self._episodes:
            self._episodes[key] = _Episode(self._served.make_tools())
            if opening is not self:
                weakref.finalize(opening, self._episodes.pop, key, None)
        return self._episodes[key]

    def _start(self, cursor: str | None) -> int:
        from mcp import MCPError, types

        if cursor is None:
            return 0
        if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
            raise MCPError(types.INVALID_PARAMS, f"{cursor[:100]!r} is no cursor of this list")
        return int(cursor)


async def _with_session(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Refuses requests that belong to no session, naming the protocol versions that have them."""
    from mcp import MCPError, types
    from mcp.types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

    asked = ctx.protocol_version
    if asked in MODERN_PROTOCOL_VERSIONS:
        data = {"supported": list(HANDSHAKE_PROTOCOL_VERSIONS), "requested": asked}
        problem = "every session here is an episode, and this protocol version has no sessions"
        raise MCPError(types.UNSUPPORTED_PROTOCOL_VERSION, problem, data)
    return await call_next(ctx)


def _result(text: str, *, failed: bool) -> types.CallToolResult:
    from mcp import types

    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = None
    structured = value if isinstance(value, dict) and not failed else None
    content = [types.TextContent(type="text", text=text)]
    return types.CallToolResult(content=list(content), structured_content=structured, is_error=failed)


def _error(message: str) -> types.CallToolResult:
    return _result(message, failed=True)
