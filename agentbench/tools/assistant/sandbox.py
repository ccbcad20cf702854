"""The process that runs a program somebody else wrote: a script with nothing of ours imported.

The first line of its standard input holds its limits as JSON, the rest is the program. It takes from itself what it
can, and runs the program in a child:

- always: limits of CPU time, memory, size of files, open files; no core dumps; an empty standard input;
- where the kernel lets it (Linux, user namespaces): no network, and no sight of other processes;
- where the kernel has Landlock (Linux 5.13): files are written, made and removed in the working folder only, and the
  memory and environment of other processes cannot be read.

Not covered: the program can read every file that whoever runs this may read, and use the CPU and memory that its limits
leave it. Without namespaces it has network access, without Landlock it can write wherever its user can. A bug in the
kernel covers nothing. Run what may be hostile on a machine that holds nothing else.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from types import TracebackType

_CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET, _CLONE_NEWIPC = 0x10000000, 0x20000000, 0x40000000, 0x08000000
_PR_SET_PDEATHSIG, _PR_SET_NO_NEW_PRIVS = 1, 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_PATH_BENEATH = 1
_WRITE_FILE = 1 << 1
_WRITES = _WRITE_FILE | sum(1 << bit for bit in (4, 5, 6, 7, 8, 9, 10, 11, 12))
"""Landlock's rights to write, remove and make, as its first version has them (linux/landlock.h)."""
_TRUNCATE, _SINCE_TRUNCATE = 1 << 14, 3


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = [("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32)]


def main() -> None:
    """Runs the program on the standard input; exit code as the program's, or 128 and the signal that ended it."""
    limits = json.loads(sys.stdin.buffer.readline())
    program = sys.stdin.buffer.read()
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), 0)
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux":
        library.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        _leave_network(library)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)
    if sys.platform == "linux":
        library.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        _write_here_only(library)
    _limit(limits)
    sys.excepthook = _show_own_lines
    exec(compile(program, "program.py", "exec"), {"__name__": "__main__"})


def _show_own_lines(_kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The traceback of the program, without the two calls in this file that stand above it."""
    own = trace.tb_next.tb_next if trace is not None and trace.tb_next is not None else None
    traceback.print_exception(error.with_traceback(own))


def _leave_network(library: ctypes.CDLL) -> None:
    """New namespaces of users, processes, network and messages; where they are not to be had, nothing changes."""
    library.unshare(_CLONE_NEWUSER | _CLONE_NEWPID | _CLONE_NEWNET | _CLONE_NEWIPC)


def _write_here_only(library: ctypes.CDLL) -> None:
    """Lets this process and its children write in the working folder and to /dev/null alone, where Landlock exists."""
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return
    rights = _WRITES | (_TRUNCATE if version >= _SINCE_TRUNCATE else 0)
    handled = ctypes.c_uint64(rights)
    rules = library.syscall(_CREATE_RULESET, ctypes.byref(handled), ctypes.c_size_t(8), 0)
    _allow(library, rules, ".", rights)
    _allow(library, rules, os.devnull, rights & (_WRITE_FILE | _TRUNCATE))
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    library.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _allow(library: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    beneath = _PathBeneath(rights, place)
    library.syscall(_ADD_RULE, rules, _PATH_BENEATH, ctypes.byref(beneath), 0)
    os.close(place)


def _limit(limits: dict[str, int]) -> None:
    """Hard limits, so that the program cannot raise them."""
    wanted = {
        resource.RLIMIT_CPU: limits["cpu_s"],
        resource.RLIMIT_AS: limits["memory_bytes"],
        resource.RLIMIT_FSIZE: limits["file_bytes"],
        resource.RLIMIT_NOFILE: 64,
        resource.RLIMIT_CORE: 0,
    }
    for kind, most in wanted.items():
        with contextlib.suppress(ValueError, OSError):  # a stricter limit stands already
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    main()
