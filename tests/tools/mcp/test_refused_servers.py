"""Servers of others that cannot be used: told in one line before the first episode, and nothing is left of them."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from mcp import types
from mcp.server import Server

from agentbench.config.env import HttpServer, StdioServer
from agentbench.errors import PreflightError
from agentbench.tools.mcp.client import McpServers

from .conftest import OBJECT, Connect, Opened, Plain, ServeSdk, nothing, said, sdk_server


def refusal(server: StdioServer | HttpServer) -> PreflightError:
    """Why a server cannot be opened; nothing is left of it."""

    async def opening() -> None:
        servers = McpServers({"shop": server})
        try:
            await servers.open()
        finally:
            assert len(asyncio.all_tasks()) == 1

    with pytest.raises(PreflightError) as failure:
        asyncio.run(opening())
    return failure.value


REFUSING = {
    "401 Unauthorized": "wants a key and none is set (HTTP 401)",
    "404 Not Found": "does not answer as an MCP server does (HTTP 404)",
    "500 Oops": "does not answer as an MCP server does (HTTP 500)",
    "200 OK": "does not answer as an MCP server does: Unexpected content type",
}


@pytest.mark.parametrize(("status", "problem"), REFUSING.items())
def test_an_address_that_is_no_mcp_server_is_told_so(gate: Opened, status: str, problem: str) -> None:
    async def opening() -> str:
        async with gate("http://127.0.0.1:9/mcp", status) as before:
            servers = McpServers({"shop": HttpServer(url=before.url)})
            with pytest.raises(PreflightError) as refused:
                await servers.open()
            return str(refused.value)

    assert problem in asyncio.run(opening())


def test_a_wrong_key_is_named_by_its_variable_and_a_right_one_is_sent(
    connect: Connect, serve_sdk: ServeSdk, gate: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_KEY", "correct-horse-battery")

    async def call_tool(context: Any, _params: Any) -> types.CallToolResult:
        key = context.request.headers["authorization"]
        return types.CallToolResult(content=[types.TextContent(type="text", text=f"{len(key)} {key}")])

    async def talk() -> tuple[str, PreflightError]:
        async with (
            serve_sdk({"odd": sdk_server(call_tool)}) as urls,
            connect(odd=HttpServer(url=urls["odd"], api_key_env="SHOP_KEY")) as tools,
        ):
            seen = await said(tools["echo"])
        async with gate("http://127.0.0.1:9/mcp", "403 Forbidden") as before:
            with pytest.raises(PreflightError) as refused:
                await McpServers({"shop": HttpServer(url=before.url, api_key_env="SHOP_KEY")}).open()
            return seen, refused.value

    seen, refused = asyncio.run(talk())
    assert seen == f"{len('Bearer correct-horse-battery')} Bearer ***"
    assert str(refused).endswith("refuses the key (HTTP 403)") and "SHOP_KEY" in refused.next_step


def test_keys_and_variables_that_are_not_set_are_asked_for(plain: Plain) -> None:
    for server in (plain(env=("NOT_SET",)), HttpServer(url="http://127.0.0.1:9", api_key_env="NOT_SET")):
        refused = refusal(server)
        assert "the variable NOT_SET is not set" in str(refused) and "NOT_SET=" in refused.next_step


def test_a_program_that_is_no_mcp_server_is_told_so_with_its_last_words() -> None:
    unusable = {
        ("no-such-program", "x"): "ended before it was ready; it said last: \"cannot run 'no-such-program'",
        ("echo", "hello"): "ended before it was ready",
        (sys.executable, "-c", "raise SystemExit('bad --option')"): "it said last: 'bad --option'",
        ("cat",): "does not answer as an MCP server does",
    }
    for line, problem in unusable.items():
        refused = refusal(StdioServer(command=line, timeout_s=20))
        assert str(refused).startswith("MCP server 'shop' (") and problem in str(refused)
        assert "env.servers.shop" in refused.next_step and "\n" not in str(refused)


def test_a_program_that_says_nothing_has_the_time_of_one_call(plain: Plain) -> None:
    refused = refusal(plain("speechless", timeout_s=0.3))
    assert "gave no answer within 0.3 s" in str(refused) and "env.servers.shop.timeout_s" in refused.next_step


def test_greetings_on_standard_output_are_overlooked(connect: Connect, plain: Plain) -> None:
    async def talk() -> str:
        async with connect(shop=plain("chatty")) as tools:
            return await said(tools["echo"], "hello")

    assert asyncio.run(talk()) == "hello"


ODD_LISTS = {
    "empty": ([], "has no tools"),
    "twice": ([types.Tool(name="echo", input_schema=OBJECT)] * 2, "lists the tool 'echo' 2 times"),
    "schema": (
        [types.Tool(name="a", input_schema={**OBJECT, "required": "text"})],
        "a tool 'a' whose argument schema is wrong: required: 'text'",
    ),
}


@pytest.mark.parametrize(("tools", "problem"), ODD_LISTS.values(), ids=ODD_LISTS)
def test_a_list_of_tools_that_cannot_be_offered_is_refused(
    serve_sdk: ServeSdk, tools: list[types.Tool], problem: str
) -> None:
    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def opening() -> str:
        server = Server("odd", on_list_tools=list_tools, on_call_tool=nothing)
        async with serve_sdk({"odd": server}) as urls:
            with pytest.raises(PreflightError) as refused:
                await McpServers({"shop": HttpServer(url=urls["odd"])}).open()
            return str(refused.value)

    assert problem in asyncio.run(opening())


def test_a_list_without_end_is_given_up(serve_sdk: ServeSdk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.tools.mcp.connection.MOST_PAGES", 3)

    async def list_tools(_context: Any, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(name="a", input_schema=OBJECT)], next_cursor="more")

    async def opening() -> str:
        server = Server("odd", on_list_tools=list_tools, on_call_tool=nothing)
        async with serve_sdk({"odd": server}) as urls:
            with pytest.raises(PreflightError) as refused:
                await McpServers({"shop": HttpServer(url=urls["odd"])}).open()
            return str(refused.value)

    assert "has more than 3 pages" in asyncio.run(opening())
