"""Whole runs against a model server that misbehaves, goes away, or is asked by a thousand episodes at once.

The model counts to three with a tool and stands behind a proxy that injects faults; all is real HTTP on this machine.
"""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from agentbench.config.model import ApiMode
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import Summary
from agentbench.errors import PreflightError
from agentbench.llm import Sampling
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.policies.chat import ChatAgent
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.templates.teacher import Teacher
from agentbench.tools import Tool
from agentbench.tools.limits import ToolLimits
from agentbench.types import (
    Answer,
    AnswerType,
    Gold,
    Observation,
    Outcome,
    StepCategory,
    Task,
    ToolSpec,
    Turn,
    Usage,
)

SETTINGS = PoolSettings(64, 10, 0, 60.0, 0.0, quiet=True)
KINDS = ("rate_limited", "server_error", "timeout", "cut", "garbage")
CALLS = 3
MOST_FAULTS = 2
"""The client repeats what timed out, or brought garbage, twice."""


class Count:
    """`count()` says how often it was called."""

    spec = ToolSpec("count", "Counts.", {"type": "object", "properties": {"number": {"type": "integer"}}})

    async def call(self, arguments: dict[str, Any]) -> Observation:
        return Observation(str(arguments["number"]))


class Proxy:
    """The model server. Of `every` requests one gets a fault, one kind after the other; 0 for none.

    The model keeps no state: what it says follows from how many tool results the messages hold.
    """

    def __init__(self, every: int = 0, port: int = 0) -> None:
        self._every = every
        self._port = port
        self.asked = 0
        self.injected: Counter[str] = Counter()
        self._due = 0
        self._faulted: Counter[bytes] = Counter()
        """Faults by what was asked: nobody has to get over more than the client promises to."""

    async def __aenter__(self) -> Proxy:
        self._runner = web.ServerRunner(web.Server(self._handle), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, backlog=2048).start()
        self.port = self._runner.addresses[0][1]
        self.url = f"http://127.0.0.1:{self.port}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/v1/models":
            return web.json_response({"data": [{"id": "m"}]})
        self.asked += 1
        self._due += self._every > 0 and self.asked % self._every == 0
        body = await request.read()
        if self._due and self._faulted[body] < MOST_FAULTS:
            self._due -= 1
            self._faulted[body] += 1
            return await self._fault(request, KINDS[self.injected.total() % len(KINDS)])
        return web.Response(body=orjson.dumps(said(orjson.loads(body))))

    async def _fault(self, request: web.BaseRequest, kind: str) -> web.StreamResponse:
        self.injected[kind] += 1
        match kind:
            case "rate_limited":
                return web.Response(status=429, headers={"Retry-After": "0"})
            case "server_error":
                return web.Response(status=500, text="out of memory")
            case "timeout":
                await asyncio.sleep(30)
            case "cut":
                assert request.transport is not None
                request.transport.abort()
        return web.Response(text="<html>garbage</html>")


def said(asked: dict[str, Any]) -> dict[str, Any]:
    """The next call, or the answer once three results are there."""
    made = sum(message["role"] == "tool" for message in asked["messages"])
    function = {"name": "count", "arguments": f'{{"number": {made + 1}}}'}
    calls = [{"id": str(made), "type": "function", "function": function}] if made < CALLS else None
    message = {"content": None if calls else "3", "tool_calls": calls}
    details = {"cached_tokens": 6}
    usage = {"prompt_tokens": 10, "completion_tokens": 2, "prompt_tokens_details": details}
    return {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}


def client(url: str, **settings: Any) -> OpenAILlm:
    """A client of a proxy."""
    limits = {"timeout_s": 5.0, "max_retries": 8, "max_connections": 64, **settings}
    return OpenAILlm(url, "m", ApiMode.CHAT, ApiKey("K"), **limits)


def counting_task(number: int) -> Task:
    return Task(f"t-{number}", "s", "numbers", (Turn(f"Count for {number}.", Gold(Answer(AnswerType.NUMBER, 3.0))),))


def parts(llm: OpenAILlm, seed: int, tool: Tool | None = None, limits: ToolLimits | None = None) -> EpisodeParts:
    """What an episode of a chat agent on this model is made of."""
    agent = ChatAgent(llm, Teacher(), Sampling(), seed)
    grade = StepGrader(dict.fromkeys(StepCategory, 0.0))
    return EpisodeParts(ToolEnv((tool or Count(),), True, limits), agent, grade, (AnswerScorer(),))


def tasks(count: int) -> list[Task]:
    return [counting_task(number) for number in range(count)]


async def play(asked: Sequence[Task], llm: OpenAILlm, folder: Path, settings: PoolSettings = SETTINGS) -> Summary:
    """A run; its client is closed afterwards."""
    try:
        settings = settings._replace(breakers=(llm.breaker,))
        return await run_tasks(asked, lambda _, seed: parts(llm, seed), settings, folder)
    finally:
        await llm.close()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.llm.faults.FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("agentbench.llm.breaker.FIRST_PROBE_S", 0.05)


def ids(folder: Path) -> Counter[str]:
    """How many lines each task has; lines that were read once and again would count twice."""
    lines = (folder / TRAJECTORIES).read_bytes().splitlines()
    assert len(lines) == len(list(read_trajectories(folder / TRAJECTORIES)))
    return Counter(trajectory.task.id for trajectory in read_trajectories(folder / TRAJECTORIES))


def test_a_fifth_of_all_requests_may_fail_and_no_episode_is_lost_or_doubled(tmp_path: Path) -> None:
    async def main() -> tuple[Summary, Proxy]:
        async with Proxy(every=5) as proxy:
            return await play(tasks(500), client(proxy.url, timeout_s=3.0), tmp_path), proxy

    summary, proxy = run_async(main())
    # 500 episodes have 4 requests each; where every fifth one fails, 2,000 answers take about 2,500 requests.
    assert (summary.n, summary.success.count, summary.errors) == (500, 500, {})
    assert proxy.asked == 2000 + proxy.injected.total() and 495 <= proxy.injected.total() <= 500
    assert ids(tmp_path) == Counter({f"t-{number}": 1 for number in range(500)})
    assert summary.faults == dict(proxy.injected) and set(summary.faults) == set(KINDS)


def test_tokens_and_times_are_added_up(tmp_path: Path) -> None:
    async def main() -> Summary:
        async with Proxy() as proxy:
            return await play(tasks(10), client(proxy.url, max_connections=1), tmp_path)

    summary = run_async(main())
    # 10 episodes of 4 requests with 10 prompt tokens, 6 of them cached, and 2 of the completion
    assert summary.tokens == {"agent": Usage(400, 80, 240)} and summary.cached_share == {"agent": 0.6}
    assert summary.seconds.queue > summary.seconds.model > 0  # ten episodes share one connection
    assert summary.seconds.tools > 0 and summary.faults == {}


def test_a_server_that_is_killed_and_comes_back_costs_no_episode(tmp_path: Path) -> None:
    async def main() -> Summary:
        async with Proxy() as first:
            llm = client(first.url, max_retries=1, down_timeout_s=30.0)
            run = asyncio.create_task(play(tasks(300), llm, tmp_path))
            while first.asked < 400:
                await asyncio.sleep(0.01)
        while not llm.breaker.is_down:
            await asyncio.sleep(0.01)
        assert f"{first.url} is down for 0 s" in llm.breaker.status
        await asyncio.sleep(0.3)
        async with Proxy(port=first.port):
            return await run

    summary = run_async(main())
    assert (summary.n, summary.success.count, summary.errors) == (300, 300, {})
    assert summary.faults and set(summary.faults) <= {"cut", "unreachable"}
    assert ids(tmp_path) == Counter({f"t-{number}": 1 for number in range(300)})


def test_a_server_that_stays_away_ends_the_run_which_can_go_on_later(tmp_path: Path) -> None:
    async def killed() -> int:
        async with Proxy() as proxy:
            run = asyncio.create_task(play(tasks(300), client(proxy.url, down_timeout_s=0.3), tmp_path))
            while proxy.asked < 600:
                await asyncio.sleep(0.01)
        with pytest.raises(PreflightError, match=rf"^{proxy.url} was down for 0.3 s$"):
            await run
        return sum(not trajectory.error for trajectory in read_trajectories(tmp_path / TRAJECTORIES))

    async def again() -> tuple[Summary, int]:
        async with Proxy() as proxy:
            return await play(tasks(300), client(proxy.url), tmp_path), proxy.asked

    kept = run_async(killed())
    summary, asked = run_async(again())
    assert 0 < kept < 300 and (summary.n, summary.success.count) == (300, 300)
    assert asked == 4 * (300 - kept)


class Hanging(Count):
    """Its third call never comes back."""

    async def call(self, arguments: dict[str, Any]) -> Observation:
        if arguments["number"] == 3:
            await asyncio.Event().wait()
        return await super().call(arguments)


def test_a_hung_tool_is_an_observation_after_its_time_limit(tmp_path: Path) -> None:
    async def main() -> None:
        async with Proxy() as proxy:
            llm, limits = client(proxy.url), ToolLimits(0.1, {})
            await run_tasks(tasks(20), lambda _, seed: parts(llm, seed, Hanging(), limits), SETTINGS, tmp_path)
            await llm.close()

    run_async(main())
    for trajectory in read_trajectories(tmp_path / TRAJECTORIES):
        third = trajectory.history.steps[2].observation
        assert third == Observation('{"error":"\'count\' gave no result within 0.1 s"}', Outcome.TOOL_ERROR)
        assert trajectory.success


def test_no_more_calls_of_a_tool_are_under_way_than_allowed(tmp_path: Path) -> None:
    live, most = 0, 0

    class Slow(Count):
        async def call(self, arguments: dict[str, Any]) -> Observation:
            nonlocal live, most
            live += 1
            most = max(most, live)
            await asyncio.sleep(0.001)
            live -= 1
            return await super().call(arguments)

    async def main() -> None:
        async with Proxy() as proxy:
            llm, limits = client(proxy.url), ToolLimits(5.0, {"count": 3})
            await run_tasks(tasks(30), lambda _, seed: parts(llm, seed, Slow(), limits), SETTINGS, tmp_path)
            await llm.close()

    run_async(main())
    assert most == 3


def test_a_full_disk_is_one_line_and_the_run_can_go_on(tmp_path: Path) -> None:
    async def run() -> Summary:
        async with Proxy() as proxy:
            return await play(tasks(100), client(proxy.url), tmp_path)

    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, hard))  # SIGXFSZ is ignored by Python
    try:
        with pytest.raises(PreflightError, match=r"trajectories.jsonl cannot be written: File too large; all earlier"):
            run_async(run())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    kept = sum(ids(tmp_path).values())
    assert 0 < kept < 100
    assert run_async(run()).success.count == 100 and set(ids(tmp_path).values()) == {1}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB, where this user may mount one."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "--lazy", tmp_path], check=True)


def test_a_run_goes_on_once_there_is_room_on_the_disk(small_disk: Path) -> None:
    async def run() -> Summary:
        async with Proxy() as proxy:
            return await play(tasks(100), client(proxy.url), small_disk)

    with pytest.raises(PreflightError, match=r"trajectories.jsonl cannot be written: No space left on device; all"):
        run_async(run())
    kept = sum(ids(small_disk).values())
    assert 0 < kept < 100
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    assert run_async(run()).success.count == 100 and set(ids(small_disk).values()) == {1}


@pytest.mark.slow
def test_a_thousand_episodes_at_once_leave_nothing_behind_and_take_bounded_memory(tmp_path: Path) -> None:
    open_before = len(os.listdir("/proc/self/fd"))

    async def main() -> tuple[Summary, int, int]:
        async with Proxy() as proxy:
            llm = client(proxy.url, max_connections=1000, timeout_s=60.0)
            summary = await play(tasks(3000), llm, tmp_path, SETTINGS._replace(concurrency=1000))
        await asyncio.sleep(0.1)
        return summary, len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))

    peak_before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    summary, left, still_open = run_async(main())
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before_kb) / 1024
    assert summary.success.count == 3000 and left == 1 and still_open <= open_before + 8
    assert grown_mb < 250  # the server's side of 1,000 connections included
