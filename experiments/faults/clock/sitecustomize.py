"""A clock that jumps: for a process with this folder on PYTHONPATH, once the file that `JUMP_WHEN` names is there.

Python imports this before anything else. `time.time`, `time.time_ns` and the classes of `datetime` then say `JUMP_S`
seconds more than the system; those of `datetime` only with JUMP_DATETIME=yes, for torch's C code bears no class in
their place. What C code asks the system for itself, as file times, stays as it is.
"""

from __future__ import annotations

import datetime
import os
import time

_PLACE, _SHIFT_S = os.environ.get("JUMP_WHEN", ""), float(os.environ.get("JUMP_S", "0"))
_real, _real_ns, _utc = time.time, time.time_ns, datetime.UTC


def _shift_s() -> float:
    return _SHIFT_S if os.path.exists(_PLACE) else 0.0


def _time() -> float:
    return _real() + _shift_s()


def _time_ns() -> int:
    return _real_ns() + int(_shift_s() * 1e9)


class _Jumping(datetime.datetime):
    __slots__ = ()  # of the size that C code expects

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Jumping:
        return cls.fromtimestamp(_time(), tz)

    @classmethod
    def utcnow(cls) -> _Jumping:
        return cls.fromtimestamp(_time(), _utc).replace(tzinfo=None)


if _PLACE:
    time.time, time.time_ns = _time, _time_ns
    if os.environ["JUMP_DATETIME"] == "yes":
        datetime.datetime = _Jumping  # type: ignore[misc]
