"""Children that end with their parent, however it ends: kill -9 leaves nobody who could end them but the system.

Linux only; elsewhere children of a killed parent stay. It ends the child itself, not what that one has started.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
"""From linux/prctl.h."""


def end_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """For `preexec_fn` of `subprocess`: the child gets this signal when its parent is gone."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)  # before the fork, after which a child should do as little as it can
    return lambda: library.prctl(_PR_SET_PDEATHSIG, int(number))


def wrapped(command: list[str]) -> list[str]:
    """The command as a child that is killed with this process; for libraries that start programs by themselves."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def adopt_orphans() -> None:
    """Makes this process the parent of what its children leave behind."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


def main() -> None:
    """Becomes the program that the command line names, less the number of the process to end with."""
    ask = end_with_parent(signal.SIGKILL)
    if ask is not None:
        ask()
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)  # whoever started this is gone already
    try:
        os.execvp(sys.argv[2], sys.argv[2:])
    except OSError as error:
        sys.exit(f"cannot run {sys.argv[2]!r}: {error.strerror}")


if __name__ == "__main__":
    main()
