"""Children end with a parent that is killed outright."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentbench.app.children import wrapped

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
PARENTS = {
    "started by us": (
        "child = subprocess.Popen(['sleep', '60'], preexec_fn=children.end_with_parent(signal.SIGTERM), stdout=2)"
    ),
    "started by a library": "child = subprocess.Popen(children.wrapped(['sleep', '60']), stdout=2)",
}


@pytest.mark.parametrize("start", PARENTS.values(), ids=PARENTS)
def test_a_child_ends_with_its_killed_parent(start: str) -> None:
    program = f"import signal, subprocess, time\nfrom agentbench.app import children\n{start}\n"
    program += "time.sleep(0.5)\nprint(child.pid, flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = Path("/proc") / parent.stdout.readline().strip()
        assert (child / "cmdline").read_bytes().startswith(b"sleep")
        parent.send_signal(signal.SIGKILL)
    assert ended(child)


def ended(process: Path, limit_s: float = 10.0) -> bool:
    """Whether a process is gone, or nobody but its new parent has yet to take note of it."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if not process.exists() or b"\nState:\tZ" in (process / "status").read_bytes():
            return True
        time.sleep(0.05)
    return False


def test_a_program_that_is_not_there_is_named() -> None:
    done = subprocess.run(wrapped(["no-such-program"]), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "cannot run 'no-such-program': No such file or directory\n")
