"""One process per run folder."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from agentbench.errors import PreflightError

LOCK = ".lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the folder for this process; the lock goes with the process, also after kill -9.

    The lock file stays behind, empty of meaning: only a lock on it counts, not its being there. On network file systems
    the lock holds as far as their `flock` does. A forked child inherits it.

    Raises:
        PreflightError: another process holds the folder, or the folder cannot be written.
    """
    try:
        file = (folder / LOCK).open("ab+", buffering=0)
    except OSError as failure:
        raise PreflightError(f"the run folder {folder} cannot be locked: {failure.strerror}") from failure
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().decode().strip()
            raise PreflightError(
                f"the run folder {folder} is in use by process {holder}", f"wait for process {holder} or stop it"
            ) from None
        _sign(file, folder)
        yield


def _sign(file: FileIO, folder: Path) -> None:
    try:
        file.truncate(0)
        file.write(f"{os.getpid()}\n".encode())
    except OSError as failure:
        raise PreflightError(f"the run folder {folder} cannot be written: {failure.strerror}") from failure
