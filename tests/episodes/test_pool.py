"""Many jobs at once, and how they are stopped."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from agentbench.episodes.pool import run_async, run_pool
from agentbench.errors import Interrupted


def run(
    jobs: list[int], job: Callable[[int], Awaitable[object]], keep: Callable[[object], None], concurrency: int
) -> None:
    run_async(run_pool(jobs, job, keep, concurrency))


def test_every_job_is_run_once_and_never_more_than_allowed_at_a_time() -> None:
    live, most, results = 0, 0, []

    async def job(number: int) -> int:
        nonlocal live, most
        live += 1
        most = max(most, live)
        await asyncio.sleep(0.001)
        live -= 1
        return number

    run(list(range(40)), job, results.append, 5)
    assert sorted(results) == list(range(40)) and most == 5


def test_no_jobs_are_no_problem() -> None:
    async def job(number: int) -> int:
        return number

    run([], job, print, 5)


class Result:
    """Something whose life can be counted."""


def test_results_are_not_kept_once_they_are_handed_over() -> None:
    alive: list[int] = []

    async def job(number: int) -> Result:
        await asyncio.sleep(0)
        return Result()

    run(list(range(20)), job, lambda _: alive.append(sum(type(thing) is Result for thing in gc.get_objects())), 4)
    assert max(alive) <= 4


def test_an_exception_cancels_what_is_under_way_and_is_raised() -> None:
    cancelled: list[int] = []

    async def job(number: int) -> int:
        try:
            await asyncio.sleep(0 if number == 1 else 60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    def keep(result: object) -> None:
        raise OSError(f"cannot keep {result}")

    with pytest.raises(OSError, match="cannot keep 1"):
        run([0, 1, 2], job, keep, 3)
    assert cancelled == [0, 2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_starts_nothing_new_and_keeps_what_was_finished(number: signal.Signals) -> None:
    started: list[int] = []
    kept: list[object] = []

    async def job(index: int) -> int:
        started.append(index)
        if index == 3:
            os.kill(os.getpid(), number)
        await asyncio.sleep(60 if index >= 3 else 0)
        return index

    with pytest.raises(Interrupted, match=f"stopped by {number.name}"):
        run(list(range(100)), job, kept.append, 2)
    assert kept == [0, 1, 2] and max(started) <= 4


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_signal_handlers_of_before_are_put_back(number: signal.Signals) -> None:
    async def job(index: int) -> int:
        return index

    before = signal.signal(number, print_signal)
    try:
        run([1], job, print, 1)
        assert signal.getsignal(number) is print_signal
    finally:
        signal.signal(number, before)


def print_signal(number: int, frame: object) -> None:
    print(number)


def test_a_signal_stops_jobs_that_never_wait() -> None:
    done: list[int] = []

    async def job(number: int) -> int:
        if number == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return number

    with pytest.raises(Interrupted):
        run_async(run_pool(list(range(10_000)), job, done.append, 2))
    assert len(done) < 100


def test_a_signal_after_the_last_job_changes_nothing() -> None:
    done: list[int] = []

    async def job(number: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        return number

    run_async(run_pool([1], job, done.append, 1))
    assert done == [1]


def test_a_second_signal_does_not_wait_for_a_job_that_ignores_the_first() -> None:
    async def stubborn(number: int) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.sleep(60)

    with pytest.raises(KeyboardInterrupt):
        run([1], stubborn, print, 1)


def test_a_job_that_outlives_the_signal_is_kept_and_no_other_follows() -> None:
    kept: list[object] = []

    async def job(number: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return number
        return -1

    with pytest.raises(Interrupted):
        run([1, 2, 3], job, kept.append, 1)
    assert kept == [1]
