"""`agentbench.serve` in the hands of the SDK's own client, and somebody else's server in an episode of ours."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import mcp
import orjson
import pytest
from mcp.client.stdio import StdioServerParameters
from mcp.types import TextContent, TextResourceContents

from agentbench.config.env import Granularity, StdioServer
from agentbench.config.tasks import Split
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.llm import Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.policies import Policy
from agentbench.policies.chat import ChatAgent
from agentbench.policies.gold_expert import GoldExpert
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.files import write_tasks
from agentbench.templates.teacher import Teacher
from agentbench.tools.mcp.client import McpServers
from agentbench.tools.sql.spec import Column, Endpoint, Universe
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Final,
    Gold,
    Outcome,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
    Turn,
)
from agentbench.worlds.manifest import Manifest, World

from .conftest import Ended, Run, command, environment

NAME = {"name": {"type": "string"}}
ENDPOINT = Endpoint("get_price", "Price of a thing.", "SELECT price FROM things WHERE name = :name", NAME, "price")
COLUMNS = tuple(
    Column(name, kind, name, f'"things"."{name}"') for name, kind in (("name", "TEXT"), ("price", "INTEGER"))
)
UNIVERSE = Universe("things", "All things.", '"things"', COLUMNS)


@pytest.fixture(scope="module")
def shops(tmp_path_factory: pytest.TempPathFactory) -> tuple[World, World]:
    """Two small worlds with one question each."""
    return make_world(tmp_path_factory.mktemp("a"), "corner"), make_world(tmp_path_factory.mktemp("b"), "market")


def make_world(folder: Path, name: str) -> World:
    world = World(folder, Manifest(name, name, name, "", "", (ENDPOINT,), (UNIVERSE,), None, name))
    (folder / "world.json").write_bytes(orjson.dumps(world.manifest))
    with closing(sqlite3.connect(world.database)) as connection, connection:
        connection.execute("CREATE TABLE things (name TEXT, price INTEGER)")
        connection.execute("INSERT INTO things VALUES ('lamp', 4711), ('chair', 9)")
    call = CallTools((ToolCall("get_price", {"name": "lamp"}),))
    turn = Turn("How much is a lamp?", Gold(Answer(AnswerType.NUMBER, 4711.0), (call,)))
    for granularity in Granularity:
        for split in Split:
            write_tasks(world.tasks(granularity, split), [Task(f"{name}-1", "m3", name, (turn,))])
    return world


def overrides(*worlds: World, tools: str = "rest", transport: str = "http") -> list[str]:
    names = ",".join(f"'{world.folder}'" for world in worlds)
    return [f"env.worlds=[{names}]", f"env.tools={tools}", f"serve.transport={transport}", "serve.port=0"]


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start("serve", …)` in the background, with pipes; what still runs is killed after the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(entry: str, *arguments: str) -> subprocess.Popen[str]:
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        line = command(entry, *arguments)
        started.append(subprocess.Popen(line, cwd=tmp_path, env=environment(), text=True, **pipes))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def stopped(process: subprocess.Popen[str], number: signal.Signals) -> tuple[Ended, float]:
    """How a server ended after a signal, and after how many seconds; its standard input stays open until then."""
    began = time.monotonic()
    process.send_signal(number)
    process.wait(timeout=20)
    seconds = time.monotonic() - began
    return Ended(process.returncode, *process.communicate()), seconds


async def said(client: mcp.Client, tool: str, **arguments: Any) -> str:
    result = await client.call_tool(tool, arguments)
    (block,) = result.content
    assert isinstance(block, TextContent) and not result.is_error
    return block.text


def test_the_official_client_works_with_a_world_over_stdio(shops: tuple[World, World], tmp_path: Path) -> None:
    first, *rest = command("serve", *overrides(shops[0], tools="slot_filling", transport="stdio"))
    program = StdioServerParameters(command=first, args=rest, env=environment(), cwd=tmp_path)

    async def talk() -> tuple[str, Any]:
        async with mcp.Client(program) as client:
            handle = orjson.loads(await said(client, "get_data", tool_universe_id="things"))["handle"]
            (contents,) = (await client.read_resource("agentbench://tasks/corner-1")).contents
            assert isinstance(contents, TextResourceContents)
            listed = {tool.name for tool in (await client.list_tools()).tools}
            assert {"get_data", "sort_data"} <= listed
            return handle, orjson.loads(contents.text)["turns"]

    assert asyncio.run(talk()) == ("things_1", ["How much is a lamp?"])


def test_nothing_but_the_protocol_is_on_standard_output(start: Start, shops: tuple[World, World]) -> None:
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    process = start("serve", *overrides(shops[0], transport="stdio"))
    out, err = process.communicate(orjson.dumps(request).decode() + "\n", timeout=60)
    (answer,) = out.splitlines()
    assert (process.returncode, err) == (0, "")
    assert orjson.loads(answer)["result"]["serverInfo"]["name"] == "agentbench-corner"


def test_a_signal_ends_a_stdio_server_though_its_client_says_nothing(start: Start, shops: tuple[World, World]) -> None:
    process = start("serve", *overrides(shops[0], transport="stdio"))
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n')
    process.stdin.flush()
    assert '"id":1' in process.stdout.readline()
    ended, seconds = stopped(process, signal.SIGTERM)
    assert ended == (0, "", "stopped\n") and seconds < 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_each_world_has_an_address_and_a_signal_ends_all_with_sessions_open(
    start: Start, shops: tuple[World, World], number: signal.Signals
) -> None:
    process = start("serve", *overrides(*shops))
    assert process.stdout is not None
    urls = dict(process.stdout.readline().strip().split(": ", 1) for _ in shops)

    async def talk() -> tuple[Ended, float]:
        async with mcp.Client(urls["corner"]) as corner, mcp.Client(urls["market"]) as market:
            assert [await said(client, "get_price", name="lamp") for client in (corner, market)] == [PRICE, PRICE]
            return await asyncio.to_thread(stopped, process, number)

    PRICE = '{"price":[4711]}'
    ended, seconds = asyncio.run(talk())
    assert [url.rpartition("/")[2] for url in urls.values()] == ["corner", "market"]
    assert ended == (0, "stopped\n", "") and seconds < 5


def test_one_client_cannot_be_served_two_worlds(run: Run, shops: tuple[World, World]) -> None:
    ended = run("serve", *overrides(*shops, transport="stdio"))
    assert (ended.code, ended.out) == (2, "")
    assert "error: env.worlds: serve.transport=stdio serves one world, not 2" in ended.err


CLOCK = StdioServer(command=(sys.executable, "-m", "mcp_server_time"), timeout_s=30)
NOON = {"source_timezone": "Etc/UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
"""Tokyo is nine hours ahead of UTC all year."""


def clock_task() -> Task:
    there = CallTools((ToolCall("convert_time", NOON),))
    today = CallTools((ToolCall("get_current_time", {"timezone": "$var_1.target.timezone$"}),))
    turn = Turn("How far is Tokyo ahead of UTC, in hours?", Gold(Answer(AnswerType.TEXT, "+9.0h"), (there, today)))
    return Task("clock-1", "mcp", "clock", (turn,))


def play(make_policy: Callable[[Task], Policy]) -> Trajectory:
    """An episode over the tools of the clock."""

    async def episode() -> Trajectory:
        servers = McpServers({"clock": CLOCK})
        await servers.open()
        task, grade = clock_task(), StepGrader({category: 0.0 for category in StepCategory})
        parts = EpisodeParts(ToolEnv(servers.tools, True), make_policy(task), grade, (AnswerScorer(),))
        try:
            return await run_episode(task, parts, Limits(10, 60.0), seed=0)
        finally:
            await servers.close()

    return asyncio.run(episode())


def test_the_gold_expert_solves_a_task_on_somebody_elses_server() -> None:
    trajectory = play(GoldExpert)
    assert trajectory.success and trajectory.error == ""
    assert [step.observation.outcome for step in trajectory.history.steps] == [Outcome.OK] * 3
    assert orjson.loads(trajectory.history.steps[0].observation.text)["time_difference"] == "+9.0h"
    second = trajectory.history.steps[1].decision.action
    assert second == CallTools((ToolCall("get_current_time", {"timezone": "Asia/Tokyo"}),))


def test_an_agents_mistakes_on_somebody_elses_server_are_observations() -> None:
    calls = [{"timezone": "Nowhere/Atall"}, {"zone": "x"}, {"timezone": "Asia/Tokyo"}]
    written = [{"content": "", "tool_calls": [{"name": "get_current_time", "arguments": call}]} for call in calls]
    replies = [*(orjson.dumps(reply).decode() for reply in written), "+9.0h"]
    trajectory = play(lambda task: ChatAgent(ScriptedLlm(replies), Teacher(), Sampling(), 0))
    outcomes = [step.observation.outcome for step in trajectory.history.steps]
    assert outcomes == [Outcome.TOOL_ERROR, Outcome.BAD_ARGUMENTS, Outcome.OK, Outcome.OK]
    assert "Invalid timezone" in trajectory.history.steps[0].observation.text
    assert isinstance(trajectory.history.steps[3].decision.action, Final) and trajectory.success
