"""What the machine refuses, told apart from bugs of ours: no room, no right to write, no memory, no such package."""

from __future__ import annotations

import errno
import sqlite3

from agentbench.app.extras import missing_extra
from agentbench.errors import PreflightError

_NO_WRITING = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE}
)
_NO_DATABASE = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN})
_NO_MEMORY = ("can't allocate memory", "out of memory", "Cannot allocate memory", "failed to map segment")
"""Of texts by which libraries tell it, each in an exception of its own kind."""
_MAKE_ROOM = "make room, or see to it that it can be written"
_LESS = "a smaller batch, concurrency or model, or a machine with more memory"


def refusal(error: BaseException) -> PreflightError | None:
    """What the machine refused, as one line for the user; `None` for everything else.

    It does not cover a process that the system kills for its memory: nobody is left to say so.
    """
    if isinstance(error, OSError) and error.errno in _NO_WRITING:
        return unwritable(error)
    if isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in _NO_DATABASE:
        return PreflightError(f"cannot write a database: {error}", _MAKE_ROOM)
    if _short_of_memory(error):
        return PreflightError(f"out of memory: {_first_line(error)}", _LESS)
    return missing_extra(error)


def was_ctrl_c(error: BaseException) -> bool:
    """Whether a library made an exception of its own of a Ctrl-C that reached it in the middle of something."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, KeyboardInterrupt) or str(seen).rstrip(": \n").endswith("KeyboardInterrupt"):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def unwritable(error: OSError) -> PreflightError:
    """A file that cannot be opened or written."""
    place = error.filename or "a file of this run"
    verb = "open" if isinstance(error, PermissionError) else "write"
    return PreflightError(f"cannot {verb} {place}: {error.strerror}", _MAKE_ROOM)


def _short_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    return isinstance(error, RuntimeError | ImportError) and any(text in str(error) for text in _NO_MEMORY)


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), "")[:200] or type(error).__name__
