"""What AppWorld's worker takes from a world's process, seen without AppWorld: the script is run by its place."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from agentbench.tools.code import appworld

WORKER = Path(appworld.__file__).with_name("worker.py")
LANDLOCK = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) >= 1
STARTS = f"""
import importlib.util, sys
from pathlib import Path
found = importlib.util.spec_from_file_location("worker", {str(WORKER)!r})
worker = importlib.util.module_from_spec(found)
found.loader.exec_module(worker)
own, data = Path(sys.argv[1]), Path(sys.argv[2])
worker._confine(own, data)
"""


def tried(tmp_path: Path, code: str) -> str:
    """What a world's process says of some code: its output, or the last line of its errors."""
    for name in ("own", "data", "other"):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / "file").write_text(name)
    command = [sys.executable, "-I", "-S", "-c", STARTS + code, str(tmp_path / "own"), str(tmp_path / "data")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return ended.stdout.strip() or ended.stderr.strip().splitlines()[-1]


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
def test_a_world_writes_in_its_own_folder_and_reads_its_data(tmp_path: Path) -> None:
    assert tried(tmp_path, "(own / 'new').write_text('x'); print((data / 'file').read_text())") == "data"
    assert "PermissionError" in tried(tmp_path, "(data / 'new').write_text('x')")
    assert "PermissionError" in tried(tmp_path, "print((own.parent / 'other' / 'file').read_text())")
    assert "PermissionError" in tried(tmp_path, "print(open('/etc/passwd').read())")


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.socket()",
        "import os; os.kill(os.getppid(), 9)",
    ],
)
def test_a_world_makes_no_socket_and_kills_nobody(tmp_path: Path, code: str) -> None:
    assert "PermissionError" in tried(tmp_path, code)


def test_a_world_changes_no_modes(tmp_path: Path) -> None:
    assert tried(tmp_path, "(own.parent / 'other' / 'file').chmod(0o777); print('tried')") == "tried"
    assert (tmp_path / "other" / "file").stat().st_mode & 0o777 == 0o666 & ~current_umask()


def current_umask() -> int:
    """The mask that new files get."""
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_world_s_loop_and_database_still_work(tmp_path: Path) -> None:
    asked = "sqlite3.connect(':memory:').execute('SELECT 2').fetchone()"
    code = f"import asyncio, sqlite3; asyncio.run(asyncio.sleep(0)); print({asked})"
    assert tried(tmp_path, code) == "(2,)"


@pytest.mark.parametrize("task", ["../x", "/etc", "a/b", "a\x00b", "", "a" * 101])
def test_an_id_that_leads_out_of_the_tasks_opens_no_world(tmp_path: Path, task: str) -> None:
    code = f"""
try: worker.Episode({{"root": str(data)}}).open({task!r})
except ValueError as error: print(error)
"""
    assert "is no task's id" in tried(tmp_path, code)
