"""Functions that block do not hold up other episodes."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

from agentbench.envs.tool_env import ToolEnv
from agentbench.errors import ToolError, ToolServerError
from agentbench.tools.blocking import BlockingTool
from agentbench.tools.limits import ToolLimits
from agentbench.types import CallTools, Observation, Outcome, Task, ToolCall, ToolSpec

SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}


def halve(arguments: dict[str, Any]) -> dict[str, Any]:
    """Half a number; odd ones are refused, and 0 is the end of the process."""
    if arguments["n"] == 0:
        os._exit(1)
    if arguments["n"] % 2:
        raise ToolError("an odd number has no half")
    return {"half": arguments["n"] // 2}


def tool(function: Callable[[dict[str, Any]], dict[str, Any]], workers: Executor) -> BlockingTool:
    return BlockingTool(ToolSpec("halve", "Half a number.", SCHEMA), function, workers)


def processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


@pytest.mark.parametrize("workers", [lambda: ThreadPoolExecutor(1), processes], ids=["threads", "processes"])
def test_what_a_function_gives_or_refuses_is_what_an_agent_reads(workers: Callable[[], Executor]) -> None:
    with workers() as pool:
        assert asyncio.run(tool(halve, pool).call({"n": 4})) == Observation('{"half":2}')
        with pytest.raises(ToolError, match=r"^an odd number has no half$"):
            asyncio.run(tool(halve, pool).call({"n": 3}))


def test_a_process_that_ends_is_no_fault_of_the_agent() -> None:
    with processes() as pool, pytest.raises(ToolServerError, match=r"^the process behind 'halve' ended: "):
        asyncio.run(tool(halve, pool).call({"n": 0}))


def test_other_episodes_go_on_while_a_call_blocks() -> None:
    begun, gone_on = threading.Event(), threading.Event()

    def waits(arguments: dict[str, Any]) -> dict[str, Any]:
        begun.set()
        return {"others_went_on": gone_on.wait(10)}  # only somebody on the event loop ends this

    async def main(pool: Executor) -> Observation:
        call = asyncio.create_task(tool(waits, pool).call({"n": 2}))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        gone_on.set()
        return await call

    with ThreadPoolExecutor(1) as pool:
        assert asyncio.run(main(pool)).text == '{"others_went_on":true}'


def test_no_more_calls_are_under_way_than_its_limit() -> None:
    lock, under_way, most = threading.Lock(), 0, 0

    def counts(arguments: dict[str, Any]) -> dict[str, Any]:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        threading.Event().wait(0.01)
        with lock:
            under_way -= 1
        return {}

    async def main(pool: Executor) -> None:
        shared, limits = tool(counts, pool), ToolLimits(30, {"halve": 3})
        await asyncio.gather(*(limits.call(shared, {"n": 2}) for _ in range(20)))

    with ThreadPoolExecutor(8) as pool:
        asyncio.run(main(pool))
    assert most == 3


def test_a_call_that_takes_too_long_is_an_observation_of_its_own_episode_alone(film_task: Task) -> None:
    end = threading.Event()

    def hangs(arguments: dict[str, Any]) -> dict[str, Any]:
        return {"ended": end.wait(10 if arguments["n"] else 0)}

    async def outcome(pool: Executor, limits: ToolLimits, n: int) -> Outcome:
        env = ToolEnv((tool(hangs, pool),), enforce_rules=True, limits=limits)
        await env.reset(film_task)
        return (await env.step(CallTools((ToolCall("halve", {"n": n}),)))).observation.outcome

    async def main(pool: Executor) -> Sequence[Outcome]:
        limits = ToolLimits(0.5, {})
        found = await asyncio.gather(outcome(pool, limits, 1), outcome(pool, limits, 0))
        end.set()
        return found

    with ThreadPoolExecutor(2) as pool:
        assert tuple(asyncio.run(main(pool))) == (Outcome.TOOL_ERROR, Outcome.OK)
