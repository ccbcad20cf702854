"""Workers that are lost: their episodes are played by others, each once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbench.episodes.crew import MOST_LOSSES, Crew, Worker, WorkerLost
from agentbench.episodes.run_tasks import PoolSettings, run_episodes
from agentbench.episodes.store import read_trajectories
from agentbench.errors import AgentbenchError, PreflightError, RunFailed
from agentbench.types import EndReason, History, Observation, Task, Trajectory


class Mortal:
    """Plays episodes in no time, and is lost once it has ended `lives` of them."""

    def __init__(self, number: int, lives: int) -> None:
        self.name = f"{number} on here"
        self.lives = lives
        self.played: Counter[str] = Counter()
        self.closed = False

    async def play(self, task: Task, sample: int) -> Trajectory:
        """An empty episode."""
        await asyncio.sleep(0)
        if self.played.total() == self.lives:
            raise WorkerLost("killed")
        self.played[task.id] += 1
        return Trajectory(task, History((), Observation("")), EndReason.HORIZON, sample=sample)

    async def close(self) -> None:
        self.closed = True


class Guild:
    """Starts workers with these lives, one after the other; `None` for one that cannot start."""

    def __init__(self, *lives: int | None) -> None:
        self.lives = list(lives)
        self.workers: list[Mortal] = []
        self.said: list[str] = []

    async def start(self) -> Worker:
        """The next worker."""
        lives = self.lives.pop(0)
        if lives is None:
            raise PreflightError("no room")
        self.workers.append(Mortal(len(self.workers) + 1, lives))
        return self.workers[-1]

    def crew(self, size: int) -> Crew:
        return Crew(self.start, size, lambda task, sample: 77, self.said.append)


@pytest.fixture
def tasks(film_task: Task) -> list[Task]:
    """Thirty."""
    return [dataclasses.replace(film_task, id=f"films-{number}") for number in range(30)]


SETTINGS = PoolSettings(concurrency=6, horizon=5, seed=0, episode_timeout_s=60, max_failures=0, quiet=True)


def play(guild: Guild, size: int, tasks: list[Task], folder: Path) -> None:
    async def main() -> None:
        async with guild.crew(size) as crew:
            await run_episodes(tasks, crew, SETTINGS, folder)

    asyncio.run(main())


def test_episodes_are_shared_evenly(tasks: list[Task], tmp_path: Path) -> None:
    guild = Guild(99, 99)
    play(guild, 2, tasks, tmp_path)
    assert [worker.played.total() for worker in guild.workers] == [15, 15]
    assert guild.said == ["2 workers are ready: 1 on here, 2 on here"]
    assert all(worker.closed for worker in guild.workers)


def test_what_a_lost_worker_had_under_way_is_played_once_by_others(tasks: list[Task], tmp_path: Path) -> None:
    guild = Guild(10, 99, 99)
    play(guild, 2, tasks, tmp_path)
    assert sum((worker.played for worker in guild.workers), Counter()) == {task.id: 1 for task in tasks}
    assert len(list(read_trajectories(tmp_path / "trajectories.jsonl"))) == 30
    assert b'"lost_workers": 1' in (tmp_path / "summary.json").read_bytes()
    lost, replaced = guild.said[1:]
    assert (
        lost == "the worker 1 on here was lost (killed); its 2 episodes are played again by others"
    )  # 3 less the tenth
    assert replaced == "the worker 3 on here takes its place" and guild.workers[2].played


def test_a_run_goes_on_with_fewer_where_none_takes_the_place(tasks: list[Task], tmp_path: Path) -> None:
    guild = Guild(10, 99, None)
    play(guild, 2, tasks, tmp_path)
    assert guild.said[-1] == "no worker takes its place: no room"
    assert guild.workers[1].played.total() == 20


def test_a_run_ends_resumable_where_all_are_lost(tasks: list[Task], tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="all workers are lost, and none takes their place"):
        play(Guild(10, None), 1, tasks, tmp_path)
    assert len(list(read_trajectories(tmp_path / "trajectories.jsonl"))) == 10


def test_an_episode_that_ends_every_worker_becomes_an_error(tasks: list[Task], tmp_path: Path) -> None:
    guild = Guild(*[0] * MOST_LOSSES, 0)
    with pytest.raises(RunFailed, match=r"1 of 1 episodes ended with an error \(WorkerLost 1\)"):
        play(guild, 1, tasks[:1], tmp_path)
    (kept,) = read_trajectories(tmp_path / "trajectories.jsonl")
    assert (kept.error, kept.seed) == ("WorkerLost: killed", 77)


def test_a_crew_of_whom_one_cannot_start_does_not_begin(tasks: list[Task], tmp_path: Path) -> None:
    guild = Guild(99, None)
    with pytest.raises(PreflightError, match="no room"):
        play(guild, 2, tasks, tmp_path)
    assert guild.workers[0].closed


class Buggy(Mortal):
    """Has a bug."""

    async def play(self, task: Task, sample: int) -> Trajectory:
        """Never one."""
        raise AgentbenchError("this is a bug of agentbench, in a worker: KeyError: 'x'")


def test_a_worker_s_bug_ends_the_run(tasks: list[Task], tmp_path: Path) -> None:
    async def start() -> Worker:
        return Buggy(1, 1)

    async def main(seed_of: Callable[[str, int], int]) -> None:
        async with Crew(start, 1, seed_of, lambda line: None) as crew:
            await run_episodes(tasks, crew, SETTINGS, tmp_path)

    with pytest.raises(AgentbenchError, match="a bug of agentbench, in a worker: KeyError: 'x'"):
        asyncio.run(main(lambda task, sample: 0))
