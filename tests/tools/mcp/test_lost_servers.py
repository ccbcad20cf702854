"""Servers of others that are lost in the middle of a run, and how all of them end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from mcp import types

from agentbench.config.env import HttpServer, StdioServer
from agentbench.envs.tool_env import argument_problem
from agentbench.errors import PreflightError, ToolServerError
from agentbench.tools.mcp.client import McpServers
from agentbench.tools.mcp.server import Served, mcp_server
from agentbench.types import Observation, ToolSpec

from .conftest import OBJECT, Connect, Opened, Plain, ServeSdk, children, failure, said, sdk_server


def test_a_program_that_dies_fails_the_calls_under_way_and_is_started_again_for_the_next(
    connect: Connect, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_TOKEN", "correct-horse-battery")

    async def talk() -> tuple[list[str], str]:
        async with connect(shop=plain(env=("SHOP_TOKEN",))) as tools:
            assert await said(tools["state"]) == "1"
            calls = [failure(ToolServerError, tools[name]) for name in ("die", "echo")]
            return await asyncio.gather(*calls), await said(tools["state"])

    lost, state = asyncio.run(talk())
    assert state == "1"  # a new process: what the old one remembered is gone
    for line in lost:
        assert line.startswith("MCP server 'shop' (") and "was lost during a call" in line
        assert line.endswith("it said last: 'the disk is full, my token is ***'")


def test_a_program_that_died_between_calls_costs_no_call(connect: Connect, plain: Plain) -> None:
    async def talk() -> str:
        async with connect(shop=plain()) as tools:
            (process,) = children(os.getpid())
            assert await said(tools["state"]) == "1"
            os.kill(int(process), signal.SIGKILL)
            await asyncio.sleep(0.1)
            return await said(tools["state"])

    assert asyncio.run(talk()) == "1"


def test_an_address_that_dies_fails_the_call_and_is_tried_again(connect: Connect, serve_sdk: ServeSdk) -> None:
    async def call_tool(_context: Any, _params: Any) -> types.CallToolResult:
        return types.CallToolResult(content=[types.TextContent(type="text", text="here")])

    async def talk() -> list[str]:
        servers = McpServers({})
        async with serve_sdk({"odd": sdk_server(call_tool)}) as urls:
            servers = McpServers({"odd": HttpServer(url=urls["odd"])})
            await servers.open()
        (tool,) = servers.tools
        told = [await failure(ToolServerError, tool), await failure(ToolServerError, tool)]
        await servers.close()
        return told

    first, second = asyncio.run(talk())
    assert first.endswith("was lost during a call")
    assert "cannot be reached" in second and second.endswith("(it was lost before)")


class Counter:
    """A tool that counts its calls; each session has one of its own."""

    spec = ToolSpec("count", "Counts.", OBJECT)

    def __init__(self) -> None:
        self.calls = 0

    async def call(self, arguments: dict[str, Any]) -> Observation:
        self.calls += 1
        return Observation(str(self.calls))


SHUT = {
    "503 Busy": ("refuses a call (HTTP 503)", "2"),
    "401 Unauthorized": ("refuses a call (HTTP 401)", "2"),
    "404 Not Found": ("was lost during a call (HTTP 404)", "1"),
}
"""What a call is told, and what the counter says afterwards: a session that is lost begins anew."""


@pytest.mark.parametrize(("status", "told", "after"), [(status, *then) for status, then in SHUT.items()])
def test_what_stands_before_a_server_and_refuses_is_not_the_tools_answer(
    connect: Connect, serve_sdk: ServeSdk, gate: Opened, status: str, told: str, after: str
) -> None:
    server = mcp_server(Served("count", lambda: [Counter()]), argument_problem, sessions=True)

    async def talk() -> tuple[str, str]:
        async with (
            serve_sdk({"count": server}) as urls,
            gate(urls["count"]) as before,
            connect(count=HttpServer(url=before.url)) as tools,
        ):
            assert await said(tools["count"]) == "1"
            before.shut(status)
            refused = await failure(ToolServerError, tools["count"])
            before.status = ""
            return refused, await said(tools["count"])

    refused, then = asyncio.run(talk())
    assert refused.endswith(told) and then == after


def test_an_address_that_falls_silent_does_not_hold_up_the_end(
    connect: Connect, serve_sdk: ServeSdk, gate: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentbench.tools.mcp.connection.CLOSE_TIMEOUT_S", 0.2)
    server = mcp_server(Served("count", lambda: [Counter()]), argument_problem, sessions=True)

    async def talk() -> float:
        async with serve_sdk({"count": server}) as urls, gate(urls["count"]) as before:
            servers = McpServers({"count": HttpServer(url=before.url)})
            await servers.open()
            before.shut("silence")
            started = time.monotonic()
            await servers.close()
            return time.monotonic() - started

    assert 0.2 <= asyncio.run(talk()) < 2


def test_one_server_that_fails_closes_the_others(plain: Plain) -> None:
    async def opening() -> list[str]:
        servers = McpServers({"good": plain(), "bad": StdioServer(command=("false",))})
        with pytest.raises(PreflightError, match="'bad'"):
            await servers.open()
        assert servers.tools == ()
        return children(os.getpid())

    assert asyncio.run(opening()) == []


def test_closing_ends_even_a_program_that_will_not_go_and_may_be_done_twice(
    plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patience in ("PROCESS_TERMINATION_TIMEOUT", "FORCE_KILL_TIMEOUT"):
        monkeypatch.setattr(f"mcp.client.stdio.{patience}", 0.1)

    async def talk() -> tuple[list[str], list[str]]:
        servers = McpServers({"shop": plain("stubborn")})
        await servers.open()
        there = children(os.getpid())
        await servers.close()
        await servers.close()
        return there, children(os.getpid())

    there, left = asyncio.run(talk())
    assert len(there) == 1 and left == []


def test_a_loop_that_is_interrupted_leaves_no_program_behind(plain: Plain) -> None:
    async def interrupted() -> None:
        await McpServers({"shop": plain()}).open()
        assert len(children(os.getpid())) == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(interrupted())
    assert children(os.getpid()) == []


OUTLIVED = """
import asyncio, os, signal, sys
from agentbench.config.env import StdioServer
from agentbench.tools.mcp.client import McpServers

async def main():
    await McpServers({"shop": StdioServer(command=tuple(sys.argv[1:]))}).open()
    print("open", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_run_that_is_killed_takes_even_a_stubborn_program_with_it(plain: Plain) -> None:
    line = [sys.executable, "-c", OUTLIVED, *plain("stubborn").command, "outlived"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "open\n"), done.stderr
    time.sleep(0.2)
    listed = subprocess.run(["ps", "-wweo", "args="], capture_output=True, text=True, check=True).stdout
    assert [row for row in listed.splitlines() if row.endswith("stubborn outlived")] == []
