"""Programs in a process of their own: what they may do, what they may not, and that nothing of them stays."""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from agentbench.episodes.pool import run_async
from agentbench.errors import ToolError
from agentbench.tools.assistant.python_process import Limits, RunPython
from agentbench.types import Observation

LANDLOCK = ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) >= 1


def has_namespaces() -> bool:
    """Whether this machine lets an ordinary process make a network of its own."""
    child = os.fork()
    if not child:
        os._exit(ctypes.CDLL(None).unshare(0x10000000 | 0x40000000) != 0)
    return os.waitpid(child, 0)[1] == 0


LIMITS = Limits(seconds=30)


def run(code: str, limits: Limits = LIMITS) -> str:
    return json.loads(run_async(RunPython(limits).call({"code": code})).text)["output"]


def test_a_program_s_output_is_the_result() -> None:
    assert run("import math\nprint(math.comb(5, 2))\nprint('naïve 東京')") == "10\nnaïve 東京\n"


@pytest.mark.parametrize("on_a_loop", [asyncio.run, run_async], ids=["asyncio's loop", "uvloop"])
def test_a_program_runs_on_any_loop(on_a_loop: Callable[..., Observation]) -> None:
    assert json.loads(on_a_loop(RunPython(LIMITS).call({"code": "print(6)"})).text) == {"output": "6\n"}


def test_nothing_is_kept_between_calls() -> None:
    assert run("open('notes', 'w').write('x'); import os; print(os.listdir())") == "['notes']\n"
    assert run("import os; print(os.listdir())") == "[]\n"


def test_a_failing_program_shows_its_own_lines_and_what_it_had_printed() -> None:
    with pytest.raises(ToolError) as caught:
        run("print('so far')\n1/0")
    message = str(caught.value)
    assert 'File "program.py", line 2' in message and "ZeroDivisionError" in message
    assert message.endswith("before that it printed: 'so far\\n'") and "sandbox.py" not in message


@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("while True: pass", "more than 1 s of CPU time"),
        ("x = bytearray(10**9)", "MemoryError"),
        ("open('big', 'wb').write(bytes(3 * 2**20))", "File too large"),
        ("print('x' * 10**6)", "printed more than 1000 characters"),
        ("input()", "EOFError"),
        ("import sys; sys.exit(3)", "ended with code 3"),
    ],
)
def test_limits_end_a_program_with_the_reason(code: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        run(code, Limits(seconds=30, cpu_s=1, memory_mib=256, file_mib=1, output_chars=1000))


def test_a_program_that_only_waits_is_ended_too() -> None:
    with pytest.raises(ToolError, match=r"took longer than 1\.5 s"):
        run("import time; time.sleep(60)", Limits(seconds=1.5))


def test_no_variable_of_ours_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-7")
    assert "secret-7" not in run("import os; print(dict(os.environ))")


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
def test_files_elsewhere_can_neither_be_written_nor_removed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("here")
    for code in (f"open({str(tmp_path / 'new')!r}, 'w')", f"import os; os.remove({str(tmp_path / 'mine')!r})"):
        with pytest.raises(ToolError, match="PermissionError"):
            run(code)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
def test_the_environment_of_other_processes_cannot_be_read() -> None:
    with pytest.raises(ToolError, match=r"PermissionError|ProcessLookupError|FileNotFoundError"):
        run(f"print(open('/proc/{os.getpid()}/environ').read())")


@pytest.mark.skipif(not has_namespaces(), reason="this machine gives no network namespaces")
def test_there_is_no_network_not_even_to_this_machine() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with pytest.raises(ToolError, match=r"unreachable|refused|not permitted"):
            run(f"import socket; socket.create_connection({address!r}, 2)")


@pytest.mark.skipif(not has_namespaces(), reason="this machine gives no namespaces of processes")
def test_processes_that_a_program_leaves_behind_are_gone() -> None:
    run("import subprocess; subprocess.Popen(['sleep', '97.31'], start_new_session=True)")
    deadline = time.monotonic() + 5
    while left := [pid for pid in Path("/proc").glob("[0-9]*/cmdline") if b"97.31" in _read(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
