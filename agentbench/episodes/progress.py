"""How far a run is, while it runs: one live line on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from agentbench.episodes.table import percent
from agentbench.episodes.tally import Tally

REFRESH_S = 0.5
"""Seconds between two pictures on a terminal."""
LINE_S = 5.0
"""Seconds between two plain lines."""


@asynccontextmanager
async def showing(
    tally: Tally, total: int, console: Console, status: Callable[[], str] = lambda: ""
) -> AsyncIterator[None]:
    """Shows the tally on its way to `total` episodes while the block runs, and once more at its end.

    `status` is what else there is to say; empty where there is nothing.
    """
    line = _line_maker(tally, total, status)
    if not console.is_terminal:
        async with _repeated(lambda: console.print(line(), highlight=False, markup=False, soft_wrap=True), LINE_S):
            yield
        return
    columns = (BarColumn(), TimeElapsedColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, auto_refresh=False) as bar:
        row = bar.add_task("", total=total)

        def draw() -> None:
            bar.update(row, completed=tally.n, description=line(), refresh=True)

        async with _repeated(draw, REFRESH_S):
            yield


def _line_maker(tally: Tally, total: int, status: Callable[[], str]) -> Callable[[], str]:
    started, before = time.monotonic(), tally.n

    def line() -> str:
        speed = (tally.n - before) / max(time.monotonic() - started, 1e-9)
        success = tally.successes / tally.n if tally.n else None
        expert = tally.expert_steps / tally.steps if tally.steps else None
        counts = (
            f"{tally.n}/{total} episodes, {speed:.1f}/s, success {percent(success)}, "
            f"expert {percent(expert)} of steps, errors {tally.errors.total()}"
        )
        repeated = f"{tally.faults.total()} requests repeated" if tally.faults else ""
        return "; ".join(filter(None, (counts, repeated, status())))

    return line


@asynccontextmanager
async def _repeated(show: Callable[[], None], every_s: float) -> AsyncIterator[None]:
    async def repeat() -> None:
        while True:
            await asyncio.sleep(every_s)
            show()

    ticker = asyncio.create_task(repeat())
    try:
        yield
    finally:
        ticker.cancel()
        show()
