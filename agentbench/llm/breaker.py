"""Holds requests back while a server is down, and lets them go on once it is back.

A connection that cannot be made opens the breaker at once, other faults once many came in a row and no answer between
them. Then one request after another asks whether the server is there, and nobody else asks anything, until it is. What
it does not cover: a server that answers such questions but no others; requests to it fail after their own attempts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from agentbench.errors import ServerDownError
from agentbench.llm.faults import FaultKind

FAULTS_IN_A_ROW = 10
"""So many faults with no answer between them are reason to ask whether the server is there at all."""
FIRST_PROBE_S = 0.5
"""Pause before the first question; it doubles with each further one, up to `LONGEST_PROBE_S`."""
LONGEST_PROBE_S = 5.0


class Breaker:
    """One server's state as its requests see it. All methods belong to one event loop."""

    def __init__(self, base_url: str, is_up: Callable[[], Awaitable[bool]], down_timeout_s: float) -> None:
        """`is_up` asks the server; `down_timeout_s` is the longest time it may be down, 0 to hold nothing back."""
        self._base_url = base_url
        self._is_up = is_up
        self._down_timeout_s = down_timeout_s
        self._faults = 0
        self._went_down: float | None = None
        self._earlier_s = 0.0
        self._back = asyncio.Event()
        self._prober: asyncio.Task[None] | None = None
        self._waiting = 0

    @property
    def is_down(self) -> bool:
        """Whether requests are held back at the moment."""
        return self._went_down is not None

    @property
    def down_s(self) -> float:
        """Seconds for which requests have been held back, all together."""
        return self._earlier_s + self._this_time_s()

    @property
    def status(self) -> str:
        """What a progress line says about it; empty while the server answers."""
        if not self.is_down:
            return ""
        return f"{self._base_url} is down for {self._this_time_s():.0f} s, {self._waiting} requests wait"

    async def passage(self) -> None:
        """Returns once the server is there, as far as is known.

        Raises:
            ServerDownError: it has been down for longer than is waited.
        """
        while self.is_down:
            self._waiting += 1
            try:
                async with asyncio.timeout(max(0.0, self._down_timeout_s - self._this_time_s())):
                    await self._back.wait()
            except TimeoutError:
                problem = f"{self._base_url} was down for {self._down_timeout_s:g} s"
                raise ServerDownError(problem, "start the server again, then resume the run") from None
            finally:
                self._waiting -= 1

    def answered(self) -> None:
        """Takes note of an answer."""
        self._faults = 0

    def failed(self, kind: FaultKind) -> None:
        """Takes note of a fault of a request."""
        self._faults += 1
        if kind is FaultKind.UNREACHABLE or self._faults >= FAULTS_IN_A_ROW:
            self._open()

    async def close(self) -> None:
        """Asks no more."""
        if self._prober is not None:
            self._prober.cancel()
            await asyncio.gather(self._prober, return_exceptions=True)

    def _open(self) -> None:
        if self.is_down or not self._down_timeout_s:
            return
        self._went_down = time.monotonic()
        self._back = asyncio.Event()
        self._prober = asyncio.create_task(self._probe())

    async def _probe(self) -> None:
        pause_s = FIRST_PROBE_S
        while not await self._is_up():
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PROBE_S)
        self._earlier_s += self._this_time_s()
        self._went_down, self._faults = None, 0
        self._back.set()

    def _this_time_s(self) -> float:
        return 0.0 if self._went_down is None else time.monotonic() - self._went_down
