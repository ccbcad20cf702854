"""Workers elsewhere that play a run's episodes; one that is lost loses none of them.

Each episode goes to the worker with the fewest under way. What a lost worker had under way is played again by others,
from the same seed, and another worker takes its place. A trajectory comes back whole or not at all, so that none is
there twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol, Self

from agentbench.episodes.run_episode import failed
from agentbench.errors import AgentbenchError, PreflightError
from agentbench.types import Task, Trajectory

MOST_LOSSES = 10
"""An episode that was under way on so many workers when they were lost ends with an error: it may be what ends them."""

_log = logging.getLogger(__name__)


class WorkerLost(Exception):
    """A worker is gone, and with it what it had under way; the message says why."""


class Worker(Protocol):
    """A process that plays episodes, many at once."""

    @property
    def name(self) -> str:
        """What a user knows it by: host and process."""
        ...

    async def play(self, task: Task, sample: int) -> Trajectory:
        """One episode; its failures are data on the trajectory.

        Raises:
            WorkerLost: the process is gone.
            AgentbenchError: the worker has a bug.
        """
        ...

    async def close(self) -> None:
        """Ends the process, if it is still there."""
        ...


class Crew:
    """The workers of a run; an asynchronous context manager."""

    def __init__(
        self,
        start: Callable[[], Awaitable[Worker]],
        size: int,
        seed_of: Callable[[str, int], int],
        report: Callable[[str], None],
    ) -> None:
        """`start` gives a worker that is ready to play; `seed_of` the seed of a task's sample, for the record.

        `report` gets a line when the workers are ready, and whenever one is lost.
        """
        self._start = start
        self._size = size
        self._seed_of = seed_of
        self._report = report
        self._under_way: dict[Worker, int] = {}
        self._recruits: set[asyncio.Task[None]] = set()
        self._news = asyncio.Condition()
        self.lost = 0
        """Workers that were lost so far."""

    async def __aenter__(self) -> Self:
        """Starts the workers.

        Raises:
            AgentbenchError: one of them cannot play; the others are ended.
        """
        found = await asyncio.gather(*(self._start() for _ in range(self._size)), return_exceptions=True)
        self._under_way = {worker: 0 for worker in found if not isinstance(worker, BaseException)}
        problems = [worker for worker in found if isinstance(worker, BaseException)]
        if problems:
            await self.__aexit__()
            raise problems[0]
        self._report(f"{len(found)} workers are ready: {', '.join(worker.name for worker in self._under_way)}")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends all workers."""
        for recruit in self._recruits:
            recruit.cancel()
        await asyncio.gather(*self._recruits, return_exceptions=True)
        await asyncio.gather(*(worker.close() for worker in self._under_way))

    async def play(self, task: Task, sample: int) -> Trajectory:
        """One episode, wherever there is room.

        Raises:
            PreflightError: all workers are lost, and none took their place.
            AgentbenchError: a worker has a bug.
        """
        loss = WorkerLost()
        for _ in range(MOST_LOSSES):
            worker = await self._freest()
            self._under_way[worker] += 1
            try:
                return await worker.play(task, sample)
            except WorkerLost as error:
                loss = error
                await self._lose(worker, error)
            finally:
                if worker in self._under_way:
                    self._under_way[worker] -= 1
        return failed(task, loss, self._seed_of(task.id, sample), sample)

    async def _freest(self) -> Worker:
        async with self._news:
            await self._news.wait_for(lambda: self._under_way or not self._recruits)
        if not self._under_way:
            raise PreflightError("all workers are lost, and none takes their place", "see the cluster's own log")
        return min(self._under_way, key=lambda worker: self._under_way[worker])

    async def _lose(self, worker: Worker, loss: WorkerLost) -> None:
        """Takes note of a loss, once, and looks for another worker."""
        if worker not in self._under_way:
            return
        count = self._under_way.pop(worker)
        self.lost += 1
        self._say(f"the worker {worker.name} was lost ({loss}); its {count} episodes are played again by others")
        recruit = asyncio.create_task(self._recruit())
        self._recruits.add(recruit)
        await worker.close()

    async def _recruit(self) -> None:
        try:
            worker = await self._start()
            self._under_way[worker] = 0
            self._say(f"the worker {worker.name} takes its place")
        except (AgentbenchError, WorkerLost) as problem:
            self._say(f"no worker takes its place: {problem}")
        finally:
            self._recruits.discard(_this_task())
            async with self._news:
                self._news.notify_all()

    def _say(self, line: str) -> None:
        _log.warning(line)
        self._report(line)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    assert task is not None
    return task
