"""One process per run folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentbench.app.lock import locked
from agentbench.errors import PreflightError

HOLD = (
    "import sys, time, pathlib\nfrom agentbench.app.lock import locked\n"
    "with locked(pathlib.Path(sys.argv[1])):\n    print('held', flush=True)\n    time.sleep(60)\n"
)


def test_a_second_holder_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    with locked(tmp_path), pytest.raises(PreflightError, match=f"in use by process {os.getpid()}$"), locked(tmp_path):
        raise AssertionError("two holders")


def test_a_lock_holds_against_other_processes_and_vanishes_with_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(PreflightError, match=f"process {other.pid}$"), locked(tmp_path):
            raise AssertionError("two holders")
        other.kill()
    with locked(tmp_path):
        pass


def test_a_lock_on_a_full_disk_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to("/dev/full")
    with pytest.raises(PreflightError, match="cannot be written: "), locked(tmp_path):
        raise AssertionError("locked a full disk")


def test_a_folder_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="cannot be locked: No such file"), locked(tmp_path / "nowhere"):
        raise AssertionError("locked nothing")
