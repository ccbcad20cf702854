"""Functions that stand in for the playground's calculator, each with a fault of its own."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

HUGE_BYTES = 30_000_000


async def waiting(expression: str) -> float:
    """Never comes back, and lets others go on meanwhile."""
    await asyncio.Event().wait()
    return 0.0


def blocking(expression: str) -> float:
    """Never comes back, and holds its thread."""
    time.sleep(100_000)
    return 0.0


def raising(expression: str) -> float:
    """Fails in a way of its own."""
    raise LookupError("no such number\nnor line")


def leaving(expression: str) -> float:
    """Ends the program, as scripts do."""
    sys.exit(7)


def endless(expression: str) -> float:
    """Calls itself until Python gives up."""
    return endless(expression)


def huge(expression: str) -> str:
    """Gives more than any prompt takes."""
    return "0123456789" * (HUGE_BYTES // 10)


def binary(expression: str) -> bytes:
    """Gives what is no text."""
    return bytes(range(256))


def surrogates(expression: str) -> str:
    """Gives what looks like text and has no UTF-8 form."""
    return "half a pair: \ud800"


def controls(expression: str) -> dict[str, Any]:
    """Gives text with control characters, which terminals obey."""
    return {"result": "\x00\x1b[2J\x07\u202e\u2028\x7f"}
