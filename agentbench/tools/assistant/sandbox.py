"""The process that runs a program somebody else wrote: a script with nothing of ours imported but `confinement.py`.

The first line of its standard input holds its limits as JSON, the rest is the program. It leaves the namespaces it is
in, and runs the program in a child that has taken from itself what `confinement.py` can: network, files, processes,
memory. Its standard input is empty. What the confinement does not cover stands there.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType

_PR_SET_PDEATHSIG = 1
_FILES_OPEN = 64
_LOOK_S = 0.1


def main() -> None:
    """Runs the program on the standard input; exit code as the program's, or 128 and the signal that ended it."""
    limits = json.loads(sys.stdin.buffer.readline())
    program = sys.stdin.buffer.read()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    confinement = _confinement()
    apart = confinement.leave_namespaces()
    _end_with_parent()
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(_status(child, limits["processes"], counted=apart and os.geteuid() == 0))
        os._exit(code if code >= 0 else 128 - code)
    _end_with_parent()
    confinement.confine_files(".", confinement.python_folders())
    processes = {resource.RLIMIT_NPROC: limits["processes"]} if apart else {}  # else it counts all the user's
    confinement.limit({**_wanted(limits), **processes})
    confinement.confine_calls(signals=apart)
    sys.excepthook = _show_own_lines
    exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})


def _status(child: int, most: int, *, counted: bool) -> int:
    """How the child ended. Nothing limits root's processes, so they are counted: with too many, all are killed."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    while True:
        pid, status = os.waitpid(child, os.WNOHANG if counted else 0)
        if pid:
            return status
        if _processes(child) > most:
            os.kill(child, signal.SIGKILL)  # the first of its namespace, and the others with it
        signal.sigtimedwait([signal.SIGCHLD], _LOOK_S)


def _processes(child: int) -> int:
    """Processes that share a child's namespace."""
    links = (_link(f"/proc/{name}/ns/pid") for name in os.listdir("/proc") if name.isdigit())
    own = _link(f"/proc/{child}/ns/pid")
    return sum(link == own for link in links) if own else 0


def _link(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:  # it has ended
        return ""


def _confinement() -> ModuleType:
    """The module beside this package, found by its place: this interpreter knows no packages."""
    place = Path(__file__).resolve().parents[1] / "confinement.py"
    found = importlib.util.spec_from_file_location("confinement", place)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.dont_write_bytecode = True
    found.loader.exec_module(module)
    return module


def _show_own_lines(_kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The traceback of the program, without the two calls in this file that stand above it."""
    own = trace.tb_next.tb_next if trace is not None and trace.tb_next is not None else None
    traceback.print_exception(error.with_traceback(own))


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def _wanted(limits: dict[str, int]) -> dict[int, int]:
    return {
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_AS: limits["memory_bytes"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: _FILES_OPEN,
    }


if __name__ == "__main__":
    main()
