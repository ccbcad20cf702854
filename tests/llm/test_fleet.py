"""Several servers as one: real processes on this machine that are killed and come back."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.model import ApiMode
from agentbench.errors import LlmError, PreflightError, ServerDownError
from agentbench.llm import Prompt, Request, Sampling
from agentbench.llm.fleet import Fleet
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.types import Generation

CHILD = Path(__file__).parent / "serving_child.py"


class Server:
    """One server process."""

    def __init__(self, name: str, pause_s: float, port: int = 0) -> None:
        arguments = [sys.executable, str(CHILD), name, str(pause_s), str(port)]
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE)
        assert self.process.stdout
        self.port: int = json.loads(self.process.stdout.readline())["port"]

    def kill(self) -> None:
        """kill -9, unless it is gone already."""
        if self.process.returncode is None:
            self.process.kill()
            self.process.communicate()


@contextmanager
def servers(names: str, pause_s: float = 0.005) -> Iterator[list[Server]]:
    """One for each letter."""
    started = [Server(name, pause_s) for name in names]
    try:
        yield started
    finally:
        for server in started:
            server.kill()


Use = Callable[[Fleet], Coroutine[Any, Any, Any]]


def use(ports: list[int], do: Use, *, down_timeout_s: float = 30.0, said: list[str] | None = None) -> Any:
    """What a coroutine function makes of the servers at these ports."""
    key = ApiKey("KEY")

    async def main() -> Any:
        members = {
            url: OpenAILlm(url, "student", ApiMode.COMPLETIONS, key, timeout_s=10, max_retries=0, max_connections=100)
            for url in (f"http://127.0.0.1:{port}/v1" for port in ports)
        }
        report = said.append if said is not None else print
        fleet = Fleet(members, max_retries=3, down_timeout_s=down_timeout_s, report=report)
        try:
            return await do(fleet)
        finally:
            await fleet.close()

    return asyncio.run(main())


def step(episode: int | None) -> Request:
    return Request(Prompt("ab", (7, 8)), Sampling(), 0, episode=episode)


async def play(fleet: Fleet, episode: int, steps: int = 10) -> list[Generation]:
    """An episode's requests, one after the other."""
    return [await fleet.generate(step(episode)) for _ in range(steps)]


def homes(episodes: list[list[Generation]]) -> list[str]:
    """Who answered each episode, in order, each server once in a row."""
    said = ["".join(generation.completion for generation in episode) for episode in episodes]
    return ["".join(char for place, char in enumerate(text) if text[:place][-1:] != char) for text in said]


def test_episodes_are_spread_evenly_and_stay_where_they_are() -> None:
    async def do(fleet: Fleet) -> list[list[Generation]]:
        return await asyncio.gather(*(play(fleet, episode) for episode in range(12)))

    with servers("ABC") as started:
        played = use([server.port for server in started], do)
    assert Counter(homes(played)) == {"A": 4, "B": 4, "C": 4}


def test_a_server_that_is_killed_loses_no_request() -> None:
    said: list[str] = []
    begun: list[int] = []

    with servers("ABC") as started:

        async def do(fleet: Fleet) -> list[list[Generation]]:
            killed = asyncio.Event()

            async def whole(episode: int) -> list[Generation]:
                played = await play(fleet, episode, 1)
                begun.append(episode)
                while not killed.is_set():
                    played += await play(fleet, episode, 1)
                return played + await play(fleet, episode, 20)

            playing = asyncio.gather(*(whole(episode) for episode in range(12)))
            while len(begun) < 12:
                await asyncio.sleep(0.005)
            await asyncio.to_thread(started[0].kill)
            killed.set()
            played = await playing
            await play(fleet, 12)  # begins at the one with nothing to do, which by now somebody has to find gone
            return played

        played = use([server.port for server in started], do, said=said)
    assert all(len(episode) > 20 for episode in played)
    assert sorted(path[0] for path in homes(played)) == sorted("ABC" * 4), homes(played)
    assert all(path in ("B", "C", "AB", "AC") for path in homes(played)), homes(played)
    assert len(said) == 1 and "left out until it answers: " in said[0] and f":{started[0].port}/" in said[0]


def test_a_server_that_comes_back_is_asked_again() -> None:
    with servers("AB") as started:

        async def do(fleet: Fleet) -> str:
            await asyncio.to_thread(started[0].kill)
            await play(fleet, 1)
            started[0] = await asyncio.to_thread(Server, "C", 0.0, started[0].port)
            async with asyncio.timeout(20):
                while (await fleet.generate(step(None))).completion != "C":
                    await asyncio.sleep(0.05)
            return (await fleet.generate(step(1))).completion

        assert use([server.port for server in started], do) == "B"


def test_when_all_are_gone_requests_wait_for_the_first_that_is_back() -> None:
    with servers("AB") as started:

        async def do(fleet: Fleet) -> Generation:
            for server in started:
                await asyncio.to_thread(server.kill)
            asked = asyncio.create_task(fleet.generate(step(1)))
            while not fleet.breaker.is_down:
                await asyncio.sleep(0.01)
            started[1] = await asyncio.to_thread(Server, "C", 0.0, started[1].port)
            return await asked

        generation = use([server.port for server in started], do)
    assert generation.completion == "C" and generation.queue_seconds > 0.1
    assert set(generation.faults) <= {"unreachable", "cut"} and len(generation.faults) == 2


@pytest.mark.parametrize(("down_timeout_s", "error"), [(0.3, ServerDownError), (0.0, LlmError)])
def test_when_all_stay_away_the_request_fails_in_one_line(down_timeout_s: float, error: type[Exception]) -> None:
    with servers("AB") as started:
        ports = [server.port for server in started]
    with pytest.raises(error, match=r"^every one of 2 servers (was|is) down"):
        use(ports, lambda fleet: fleet.generate(step(1)), down_timeout_s=down_timeout_s)


def test_an_episode_leaves_a_server_that_is_much_busier() -> None:
    async def do(fleet: Fleet) -> str:
        first = (await fleet.generate(step(1))).completion
        held = [asyncio.create_task(fleet.generate(step(1))) for _ in range(5)]  # 5 > 2 · 0 + 4
        await asyncio.sleep(0)
        moved = (await fleet.generate(step(1))).completion
        return first + moved + "".join(generation.completion for generation in await asyncio.gather(*held))

    with servers("AB", pause_s=0.1) as started:
        assert use([server.port for server in started], do) == "ABAAAAA"


def test_a_run_begins_without_the_servers_that_are_not_there() -> None:
    said: list[str] = []

    async def do(fleet: Fleet) -> list[list[Generation]]:
        await fleet.check()
        return [await play(fleet, episode, 2) for episode in range(3)]

    with servers("AB") as started:
        started[0].kill()
        assert homes(use([server.port for server in started], do, said=said)) == ["B", "B", "B"]
    assert len(said) == 1 and "Connection refused" in said[0]


def test_a_run_does_not_begin_where_no_server_is_there() -> None:
    with servers("AB") as started:
        ports = [server.port for server in started]
    with pytest.raises(PreflightError, match="none of 2 servers can be used: cannot reach http"):
        use(ports, lambda fleet: fleet.check())
