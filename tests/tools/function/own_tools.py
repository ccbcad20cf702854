"""What users write: functions, and nothing of ours."""

import asyncio
import sys
import threading
import time

RELEASED = threading.Event()


def tip(bill: float, percent: float = 15) -> dict[str, float]:
    return {"tip": round(bill * percent / 100, 2)}


def words(text: str) -> list[str]:
    return text.split()


async def later(seconds: float) -> float:
    await asyncio.sleep(seconds)
    return seconds


def slow() -> str:
    time.sleep(0.2)
    return "done"


def fails(reason: str) -> None:
    raise KeyError(reason)


def hangs() -> None:
    RELEASED.wait()


def release() -> None:
    RELEASED.set()


def leaves() -> None:
    sys.exit(7)


def stops() -> None:
    raise StopIteration
