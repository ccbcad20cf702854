"""The process above a model server: `python -m agentbench.serving.keeper`, started by a lease, never by hand.

It belongs to no run, so that any of the runs sharing the server may end first. It ends the server, with all processes
the server has started, when it is told to by SIGTERM, and when nobody holds the lock on `users.lock` any more: Linux
takes that lock from a run however the run ends, kill -9 included. Should this process itself be killed, the server gets
SIGTERM by PR_SET_PDEATHSIG and ends its own workers.

Standard input holds the folder, the server's command and its environment as JSON. The process that was started ends as
soon as the one that stays holds `keeper.lock`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson

from agentbench.app.children import adopt_orphans, end_with_parent
from agentbench.serving.folder import KEEPER_LOCK, LOG, USERS_LOCK, try_lock

POLL_S = 0.2
GRACE_S = 20.0
"""How long a server may take to end before it is killed."""


def main() -> int:
    """Takes the lock, lets go of whoever started this, and keeps the server."""
    told = orjson.loads(sys.stdin.buffer.read())
    folder = Path(told["folder"])
    keeper = (folder / KEEPER_LOCK).open("wb", buffering=0)
    fcntl.flock(keeper, fcntl.LOCK_EX)
    if child := os.fork():  # which shares the lock
        keeper.write(str(child).encode())
        os._exit(0)
    adopt_orphans()  # what the server leaves behind becomes ours
    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: stopped.append(number))
    users = (folder / USERS_LOCK).open("ab")
    with (folder / LOG).open("ab") as log:
        server = subprocess.Popen(
            told["command"],
            env=told["environment"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )
    while server.poll() is None and not stopped and not try_lock(users, fcntl.LOCK_EX):
        time.sleep(POLL_S)
    if server.returncode is not None:
        with (folder / LOG).open("ab") as log:
            log.write(f"\nthe server ended with {_how(server.returncode)}\n".encode())
    _end(server)
    return 0


def _how(code: int) -> str:
    """The end of a process in words."""
    if code == -signal.SIGKILL:
        return "SIGKILL: somebody, or Linux for lack of memory, killed it"
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _end(server: subprocess.Popen[bytes]) -> None:
    """Ends the server politely, then whatever is left of it."""
    server.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        server.wait(GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()
    while left := _children():
        for process in left:
            os.kill(process, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(-1, 0)


def _children() -> list[int]:
    """Processes of ours that nobody has waited for; on Linux those count whose own parent is gone."""
    listed = Path(f"/proc/self/task/{os.getpid()}/children")
    return [int(number) for number in listed.read_text().split()] if listed.exists() else []


if __name__ == "__main__":
    sys.exit(main())
