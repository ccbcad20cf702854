"""Many jobs at once on one event loop, and a Ctrl-C that keeps everything finished."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from agentbench.errors import Interrupted

COLLECT_AFTER = (50_000, 20, 20)
"""New objects until Python collects the young ones, and how many times that until the older ones; see `gc`."""

Job = TypeVar("Job")
Result = TypeVar("Result")


async def run_pool(
    jobs: Sequence[Job],
    run: Callable[[Job], Awaitable[Result]],
    on_finished: Callable[[Result], None],
    concurrency: int,
) -> None:
    """Runs every job, `concurrency` of them at a time, starting them in order.

    Each result goes to `on_finished` as soon as it is there and is not kept. An exception from `run` or `on_finished`
    cancels what is under way and is raised: faults of single jobs have to be results.
    In the main thread, the first SIGINT or SIGTERM cancels what is under way; a second one raises
    `KeyboardInterrupt` at once. The handlers that were there before are put back.

    Raises:
        Interrupted: SIGINT or SIGTERM came before the last job was finished; every finished result was handed over.
    """
    waiting = (job for job in jobs)
    received: list[signal.Signals] = []

    left = len(jobs)

    async def work() -> None:
        nonlocal left
        try:
            for job in waiting:
                on_finished(await run(job))
                left -= 1
                await asyncio.sleep(0)  # a job that never waits must not keep signals and others from their turn
        finally:
            waiting.close()  # whatever ended this worker early, nobody starts another job

    workers = [asyncio.create_task(work()) for _ in range(min(concurrency, len(jobs)))]
    with _cancelled_by_signals(workers, waiting, received), _rarer_collections():
        await _all_done(workers)
    if received and left:
        raise Interrupted(f"stopped by {received[0].name}")


def run_async(main: Coroutine[Any, Any, Result]) -> Result:
    """The result of a coroutine, run on uvloop where it is installed and on asyncio's own loop elsewhere."""
    with new_runner() as runner:
        return runner.run(main)


def new_runner() -> asyncio.Runner:
    """What runs one coroutine after another on one loop, of the kind that `run_async` takes."""
    try:
        from uvloop import new_event_loop
    except ImportError:
        return asyncio.Runner()
    return asyncio.Runner(loop_factory=new_event_loop)


async def _all_done(workers: list[asyncio.Task[None]]) -> None:
    try:
        if workers:
            await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        for worker in workers:
            worker.cancel()
        ends = await asyncio.gather(*workers, return_exceptions=True)
    for end in ends:
        if isinstance(end, Exception):
            raise end


@contextmanager
def _rarer_collections() -> Iterator[None]:
    """Lets Python look for garbage in cycles less often: thousands of live objects make that a sixth of all CPU time.

    What was there before, modules above all, is not looked at in the meantime.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@contextmanager
def _cancelled_by_signals(
    workers: list[asyncio.Task[None]], waiting: Generator[object, None, None], received: list[signal.Signals]
) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def receive(number: signal.Signals) -> None:
        if received:
            raise KeyboardInterrupt
        received.append(number)
        waiting.close()
        for worker in workers:
            worker.cancel()

    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        loop.add_signal_handler(number, receive, number)
    try:
        yield
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler or signal.SIG_DFL)
