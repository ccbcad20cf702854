"""What holds for every tool holds for one behind MCP: a usable spec, and an answer or a tool error to any text."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jsonschema
import pytest

from agentbench.config.env import HttpServer, StdioServer
from agentbench.envs.tool_env import argument_problem
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.mcp.client import McpServers
from agentbench.tools.mcp.server import Served, mcp_server
from agentbench.types import Outcome

from .conftest import ServeSdk

VALID = {"get_director": {"title": "Amélie"}, "get_titles_since": {"year": 2000}, "echo": {"text": "x"}}
HOSTILE = ["'; DROP TABLE films; --", "\x00", "\ud800", "", "films_1", "x" * 90_000, "{}", "\u2028"]
Tools = dict[str, Tool]


@pytest.fixture(params=["program", "address"])
def behind_mcp(
    request: pytest.FixtureRequest,
    plain: Callable[..., StdioServer],
    toolboxes: dict[str, Callable[[], Any]],
    serve_sdk: ServeSdk,
) -> Iterator[Callable[[Callable[[Tools], Any]], Any]]:
    """`behind_mcp(use)`: what an async `use` makes of the tools of a foreign program, or of ours at an address."""

    async def used(server: StdioServer | HttpServer, use: Callable[[Tools], Any]) -> Any:
        servers = McpServers({"films": server})
        await servers.open()
        try:
            return await use({tool.spec.name: tool for tool in servers.tools if tool.spec.name in VALID})
        finally:
            await servers.close()

    async def at_an_address(use: Callable[[Tools], Any]) -> Any:
        served = Served("films", lambda: list(toolboxes["rest"]().tools.values()))
        async with serve_sdk({"films": mcp_server(served, argument_problem, sessions=True)}) as urls:
            return await used(HttpServer(url=urls["films"]), use)

    if request.param == "program":
        yield lambda use: asyncio.run(used(plain(), use))
    else:
        yield lambda use: asyncio.run(at_an_address(use))


def test_every_spec_is_an_object_schema_with_a_usable_name(behind_mcp: Callable[..., Any]) -> None:
    async def specs(tools: Tools) -> list[Any]:
        return [tool.spec for tool in tools.values()]

    for spec in behind_mcp(specs):
        jsonschema.Draft202012Validator.check_schema(spec.parameters)
        assert spec.parameters["type"] == "object" and isinstance(spec.parameters["properties"], dict)
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", spec.name) and spec.description.strip()


def test_the_same_call_gives_the_same_answer(behind_mcp: Callable[..., Any]) -> None:
    async def twice(tools: Tools) -> list[Any]:
        return [(await tool.call(VALID[name]), await tool.call(VALID[name])) for name, tool in tools.items()]

    for first, second in behind_mcp(twice):
        assert first == second and first.outcome is Outcome.OK


def test_hostile_text_in_every_string_gives_an_answer_or_a_tool_error(behind_mcp: Callable[..., Any]) -> None:
    async def attack(tools: Tools) -> None:
        for name, tool in tools.items():
            for argument, value in VALID[name].items():
                for text in HOSTILE if isinstance(value, str) else []:
                    with answered_or_refused():
                        await tool.call({argument: text})

    behind_mcp(attack)


@contextmanager
def answered_or_refused() -> Iterator[None]:
    try:
        yield
    except ToolError as error:
        assert len(str(error).encode()) < 1000 and "\n" not in str(error)
        json.dumps(str(error)).encode()
