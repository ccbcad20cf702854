"""Requests of a server that goes away: held back, let go, or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from agentbench.errors import ServerDownError
from agentbench.llm.breaker import FAULTS_IN_A_ROW, Breaker
from agentbench.llm.faults import FaultKind


class Server:
    """Is up or not, and counts how often it is asked."""

    def __init__(self) -> None:
        self.up = False
        self.asked = 0

    async def is_up(self) -> bool:
        self.asked += 1
        return self.up


def use(test: Callable[[Breaker, Server], Coroutine[Any, Any, None]], down_timeout_s: float = 30.0) -> None:
    async def main() -> None:
        server = Server()
        breaker = Breaker("http://here", server.is_up, down_timeout_s)
        try:
            await test(breaker, server)
        finally:
            await breaker.close()
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.llm.breaker.FIRST_PROBE_S", 0.01)


async def soon(awaited: Awaitable[None]) -> None:
    async with asyncio.timeout(5):
        await awaited


def test_requests_wait_while_the_server_is_down_and_go_on_when_it_is_back() -> None:
    async def test(breaker: Breaker, server: Server) -> None:
        breaker.failed(FaultKind.UNREACHABLE)
        waiting = [asyncio.create_task(breaker.passage()) for _ in range(3)]
        await asyncio.sleep(0.05)
        assert breaker.status == "http://here is down for 0 s, 3 requests wait"
        assert not any(task.done() for task in waiting) and 1 < server.asked < 10
        server.up = True
        await asyncio.wait_for(asyncio.gather(*waiting), 5)
        assert not breaker.is_down and breaker.status == "" and breaker.down_s >= 0.05

    use(test)


def test_faults_of_requests_open_it_once_many_came_in_a_row() -> None:
    async def test(breaker: Breaker, server: Server) -> None:
        for _ in range(FAULTS_IN_A_ROW - 1):
            breaker.failed(FaultKind.SERVER_ERROR)
        breaker.answered()
        for _ in range(FAULTS_IN_A_ROW - 1):
            breaker.failed(FaultKind.CUT)
        assert not breaker.is_down
        breaker.failed(FaultKind.CUT)
        assert breaker.is_down

    use(test)


def test_a_server_that_stays_away_is_an_error_for_those_that_wait_and_those_that_come_later() -> None:
    async def test(breaker: Breaker, server: Server) -> None:
        breaker.failed(FaultKind.UNREACHABLE)
        for _ in range(2):
            with pytest.raises(ServerDownError, match=r"^http://here was down for 0\.05 s$"):
                await soon(breaker.passage())

    use(test, down_timeout_s=0.05)


def test_without_a_time_to_wait_nothing_is_held_back() -> None:
    async def test(breaker: Breaker, server: Server) -> None:
        breaker.failed(FaultKind.UNREACHABLE)
        assert not breaker.is_down and server.asked == 0

    use(test, down_timeout_s=0.0)
