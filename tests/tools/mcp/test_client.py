"""Servers of others as tools: what they give."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError, types

from agentbench.config.env import HttpServer
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.types import ToolKind

from .conftest import OBJECT, Connect, Plain, ServeSdk, failure, said, sdk_server


def test_all_pages_of_a_servers_tools_are_there_with_kind_api(connect: Connect, plain: Plain) -> None:
    async def listed() -> dict[str, Tool]:
        async with connect(shop=plain()) as tools:
            return tools

    tools = asyncio.run(listed())
    assert list(tools) == ["echo", "die", "sleep", "environment", "state"]
    assert tools["echo"].spec.description == "Does echo." and tools["echo"].spec.parameters == OBJECT
    assert {tool.spec.kind for tool in tools.values()} == {ToolKind.API}


def test_tools_of_several_servers_carry_their_servers_name(connect: Connect, plain: Plain) -> None:
    async def talk() -> list[str]:
        async with connect(shop=plain(), bank=plain()) as tools:
            return [await said(tools[name], "x") for name in ("shop_state", "shop_state", "bank_state")]

    assert asyncio.run(talk()) == ["1", "2", "1"]


@pytest.mark.parametrize("text", ["", "é\n\u2028", "\x00", "x" * 90_000])
def test_text_goes_there_and_back_unchanged(connect: Connect, plain: Plain, text: str) -> None:
    async def talk() -> str:
        async with connect(shop=plain()) as tools:
            return await said(tools["echo"], text)

    assert asyncio.run(talk()) == text


@pytest.mark.parametrize("value", ["\ud800", float("nan")])
def test_arguments_that_json_cannot_carry_are_the_agents_mistake_and_harm_nobody(
    connect: Connect, plain: Plain, value: object
) -> None:
    async def talk() -> str:
        async with connect(shop=plain()) as tools:
            with pytest.raises(ToolError, match="cannot be sent"):
                await tools["echo"].call({"text": value})
            return await said(tools["echo"], "still there")

    assert asyncio.run(talk()) == "still there"


def test_a_program_gets_the_named_variables_and_no_others(
    connect: Connect, plain: Plain, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "correct-horse-battery")
    monkeypatch.setenv("SHOP_PLACE", "Stroud")
    monkeypatch.setenv("OPENAI_API_KEY", "not-for-strangers")

    async def talk() -> str:
        async with connect(shop=plain(env=("SHOP_TOKEN", "SHOP_PLACE"), cwd=tmp_path)) as tools:
            return await said(tools["environment"])

    seen = asyncio.run(talk())
    assert '"SHOP_PLACE": "Stroud"' in seen and '"PATH"' in seen
    assert "OPENAI" not in seen and "not-for-strangers" not in seen
    assert '"SHOP_TOKEN": "***"' in seen  # it was given, and what it says of it is not passed on


def test_calls_run_at_once_and_may_come_from_any_task(connect: Connect, serve_sdk: ServeSdk) -> None:
    together = asyncio.Barrier(3)

    async def call_tool(_context: Any, _params: Any) -> types.CallToolResult:
        await together.wait()  # answers nobody before three are there
        return types.CallToolResult(content=[])

    async def talk() -> list[str]:
        async with serve_sdk({"odd": sdk_server(call_tool)}) as urls, connect(odd=HttpServer(url=urls["odd"])) as tools:
            return await asyncio.gather(*(asyncio.create_task(said(tools["echo"])) for _ in range(3)))

    assert asyncio.run(talk()) == ["", "", ""]


def test_an_error_result_and_a_refused_request_are_for_the_agent_to_read(connect: Connect, serve_sdk: ServeSdk) -> None:
    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        if (params.arguments or {})["text"] == "refuse":
            raise MCPError(types.INVALID_PARAMS, "no such\nthing")
        return types.CallToolResult(content=[types.TextContent(type="text", text="out of\n stock")], is_error=True)

    async def talk() -> list[str]:
        async with serve_sdk({"odd": sdk_server(call_tool)}) as urls, connect(odd=HttpServer(url=urls["odd"])) as tools:
            return [await failure(ToolError, tools["echo"], text) for text in ("refuse", "fail")]

    assert asyncio.run(talk()) == ["no such thing", "out of stock"]


def test_a_result_that_its_own_schema_does_not_allow_is_the_tools_fault(connect: Connect, serve_sdk: ServeSdk) -> None:
    output = {"type": "object", "properties": {"n": {"type": "integer"}}}
    tool = types.Tool(name="echo", input_schema=OBJECT, output_schema=output)

    async def call_tool(_context: Any, _params: Any) -> types.CallToolResult:
        return types.CallToolResult(content=[], structured_content={"n": "many"})

    async def talk() -> str:
        server = sdk_server(call_tool, tool)
        async with serve_sdk({"odd": server}) as urls, connect(odd=HttpServer(url=urls["odd"])) as tools:
            return await failure(ToolError, tools["echo"])

    assert "'many' is not of type 'integer'" in asyncio.run(talk())


def test_a_call_has_its_time_and_the_server_lives_on(connect: Connect, plain: Plain) -> None:
    async def talk() -> tuple[str, float, str]:
        async with connect(shop=plain(timeout_s=1.0)) as tools:
            started = time.monotonic()
            told = await failure(ToolError, tools["sleep"], "1.6")
            waited = time.monotonic() - started
            await asyncio.sleep(0.9)
            return told, waited, await said(tools["echo"], "awake")

    told, waited, after = asyncio.run(talk())
    assert (told, after) == ("no answer within 1 s", "awake") and 1.0 <= waited < 1.6
