"""A run in a process of its own: started, stopped, and how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agentbench.app.children import end_with_parent

ROOT = Path(__file__).parents[2]
LONGEST_S = 600.0
"""No run of the matrix may take longer, however busy the machine is."""
_MARK = "AGENTBENCH_FAULT"


class Ended(NamedTuple):
    """A run after its end."""

    code: int
    """Below zero where a signal ended it."""
    out: str
    err: str
    left: tuple[str, ...]
    """Command lines of processes that it left behind."""
    seconds: float


class Child:
    """A running command; a session of its own, so that Ctrl-C can be sent as a terminal does: to the whole group."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """`folder` is its working directory, and gets its output; `environment` is added to ours."""
        self.command = tuple(command)
        self._mark = uuid.uuid4().hex
        self._place = folder / f".said-{self._mark}"
        added = {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", _MARK: self._mark}
        self._started = time.monotonic()
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, **added, **(environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=end_with_parent(signal.SIGKILL),  # who kills the matrix wants no run of it to go on
            )

    @property
    def out(self) -> str:
        """What it has printed so far."""
        return self._out.read_text(encoding="utf-8", errors="replace")

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def wait_for(self, there: Callable[[], bool], longest_s: float = LONGEST_S) -> bool:
        """Whether something came true before it ended, and in time."""
        deadline = time.monotonic() + longest_s
        while time.monotonic() < deadline:
            if there():
                return True
            if not self.running:
                return False
            time.sleep(0.01)
        return False

    def send(self, number: signal.Signals) -> None:
        """Ctrl-C goes to the whole group, as from a terminal; all else to the process alone."""
        if not self.running:
            return
        if number is signal.SIGINT:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def end(self, longest_s: float = LONGEST_S) -> Ended:
        """Waits for its end; one that does not come to it is killed, with code 124 as `timeout` has it."""
        try:
            code = self.process.wait(longest_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            code = 124
        seconds = time.monotonic() - self._started
        left = self._left_behind()
        said = Ended(code, self.out, self._err.read_text(encoding="utf-8", errors="replace"), left, seconds)
        self._out.unlink()
        self._err.unlink()
        return said

    @property
    def _out(self) -> Path:
        return self._place.with_suffix(".out")

    @property
    def _err(self) -> Path:
        return self._place.with_suffix(".err")

    def _left_behind(self) -> tuple[str, ...]:
        """Whoever carries this child's mark and is still there after ten seconds; they are killed."""
        deadline = time.monotonic() + 10
        while (found := self._marked()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in found:
            os.kill(pid, signal.SIGKILL)
        return tuple(found.values())

    def _marked(self) -> dict[int, str]:
        mark, found = f"{_MARK}={self._mark}".encode(), {}
        for place in Path("/proc").glob("[0-9]*"):
            try:
                state = (place / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and mark in (place / "environ").read_bytes():
                    found[int(place.name)] = (place / "cmdline").read_text().replace("\0", " ").strip()[:80]
            except OSError:
                continue  # it has ended meanwhile, or is somebody else's
        return found


def entry_command(entry: str, *arguments: str) -> list[str]:
    """The command that runs an entry point."""
    return [sys.executable, "-m", f"agentbench.{entry}", *arguments]
