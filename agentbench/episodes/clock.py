"""An episode's time limit, which stands still while the run waits for a server that is down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

_FEWEST_S = 0.5
"""Least time between two looks."""


def never_paused() -> float:
    """The paused seconds of a run that waits for nobody."""
    return 0.0


class Waited(Protocol):
    """Something that a run waits for at times: a server, a person."""

    @property
    def is_down(self) -> bool:
        """Whether it is waited for at the moment."""
        ...

    @property
    def down_s(self) -> float:
        """Seconds for which it has been waited for, all together."""
        ...

    @property
    def status(self) -> str:
        """What a progress line says about it; empty while it is not waited for."""
        ...


class EpisodeClock:
    """Ends its block with a `TimeoutError` after `limit_s` seconds, those not counted by which `paused_s` grows.

    It is made where a loop runs, and serves one block.
    """

    def __init__(self, limit_s: float, paused_s: Callable[[], float] = never_paused) -> None:
        self._limit_s = limit_s
        self._paused_s = paused_s
        self._timeout = asyncio.timeout(None)

    @property
    def expired(self) -> bool:
        """Whether it was this limit that ended the block."""
        return self._timeout.expired()

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._loop = asyncio.get_running_loop()
        self._end = self._loop.time() + self._limit_s - self._paused_s()
        self._look_again = self._loop.call_later(self._limit_s, self._look)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._look_again.cancel()
        return await self._timeout.__aexit__(kind, error, trace)

    def _look(self) -> None:
        left_s = self._end + self._paused_s() - self._loop.time()
        if left_s > 0:
            self._look_again = self._loop.call_later(max(left_s, _FEWEST_S), self._look)
        else:
            self._timeout.reschedule(self._loop.time())
