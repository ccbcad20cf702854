"""What can go wrong between a request and its answer, and how often each kind is worth another attempt."""

from __future__ import annotations

import random
from collections import Counter
from enum import StrEnum

FIRST_PAUSE_S = 0.5
"""Longest pause before the second attempt; it doubles with each further one, up to `LONGEST_PAUSE_S`."""
LONGEST_PAUSE_S = 30.0
MOST_REPEATS = 2
"""Most further attempts after a time-out or after garbage: the server has worked for both, and would again."""

MOST_FAULTS = 50
"""Most faults of one request, those while the server was down included: a server that keeps going away is none."""


class FaultKind(StrEnum):
    """What another attempt may mend."""

    RATE_LIMITED = "rate_limited"
    """HTTP 429."""
    SERVER_ERROR = "server_error"
    """HTTP 5xx."""
    TIMEOUT = "timeout"
    """No answer in time, or HTTP 408."""
    CUT = "cut"
    """The connection ended before the answer did."""
    UNREACHABLE = "unreachable"
    """No connection could be made."""
    GARBAGE = "garbage"
    """An answer that is none."""


class Fault(Exception):
    """A fault of one attempt; `pause_s` is how long the server wants to be left alone."""

    def __init__(self, kind: FaultKind, problem: str, advice: str, pause_s: float = 0.0) -> None:
        super().__init__(problem)
        self.kind = kind
        self.advice = advice
        self.pause_s = pause_s


class Attempts:
    """Counts the attempts of one request."""

    def __init__(self, max_retries: int) -> None:
        self._left = max_retries
        self.faults: list[FaultKind] = []
        """What went wrong so far, in order."""

    @property
    def names(self) -> tuple[str, ...]:
        """The same as plain texts."""
        return tuple([kind.value for kind in self.faults])

    def may_go_on(self, kind: FaultKind) -> bool:
        """Takes note of a fault; whether another attempt is to be made."""
        self.faults.append(kind)
        self._left -= 1
        often = Counter(self.faults)[kind] > MOST_REPEATS and kind in (FaultKind.TIMEOUT, FaultKind.GARBAGE)
        return self._left >= 0 and not often

    def pause_s(self, fault: Fault) -> float:
        """Seconds to wait now: drawn at random so that requests do not all come back at once, or as asked for."""
        longest = min(FIRST_PAUSE_S * 2 ** (len(self.faults) - 1), LONGEST_PAUSE_S)
        return max(random.uniform(0, longest), min(fault.pause_s, LONGEST_PAUSE_S))
