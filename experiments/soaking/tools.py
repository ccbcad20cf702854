"""Tools that misbehave by plan: what a number calls for follows from its last two digits.

0 to 4 raise, 5 to 7 never answer, 8 and 9 block a thread for longer than a call may take; all others double.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

BLOCKED_S = 3.0
"""Longer than a call may take."""
RAISING, HANGING, BLOCKING = range(5), range(5, 8), range(8, 10)
_NOTED_EVERY_S = 1.0


class _Noting:
    """Notes now and then how many asyncio tasks there are; a tool is the one place of a run where others' code is."""

    last = 0.0

    def note(self) -> None:
        """Appends seconds of the machine's clock and the number of tasks to the file that the environment names."""
        now = time.monotonic()
        if now - self.last >= _NOTED_EVERY_S:
            self.last = now
            with Path(os.environ["SOAK_TASKS"]).open("a", encoding="utf-8") as file:
                file.write(f"{now} {len(asyncio.all_tasks())}\n")


_noting = _Noting()


async def double(number: int) -> int:
    """Twice the number, an exception, or nothing at all."""
    _noting.note()
    if number % 100 in RAISING:
        raise ValueError(f"{number} is not to my taste")
    if number % 100 in HANGING:
        await asyncio.Event().wait()
    return 2 * number


def slow_double(number: int) -> int:
    """Twice the number, too late."""
    time.sleep(BLOCKED_S)
    return 2 * number
