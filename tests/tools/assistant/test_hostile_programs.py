"""Programs that mean harm: what they try is refused or ended, and nothing of them stays."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path

import pytest

from agentbench.episodes.pool import run_async
from agentbench.errors import ToolError
from agentbench.tools.assistant.python_process import Limits, RunPython
from tests.tools.assistant.test_python_process import LANDLOCK, has_namespaces

APART = has_namespaces()
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
needs_namespaces = pytest.mark.skipif(not APART, reason="this machine gives no namespaces of processes")
LIMITS = Limits(seconds=40, cpu_s=3, memory_mib=256, file_mib=1, output_chars=2000)


def run(code: str, limits: Limits = LIMITS) -> str:
    return json.loads(run_async(RunPython(limits).call({"code": code})).text)["output"]


def refused(code: str, *words: str) -> str:
    with pytest.raises(ToolError, match="|".join(words)) as caught:
        run(code)
    return str(caught.value)


def processes_with(mark: str) -> list[str]:
    """Processes whose command line or name holds a word."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            told = (place / "cmdline").read_bytes() + (place / "comm").read_bytes()
        except OSError:
            continue
        if mark.encode() in told:
            found.append(place.name)
    return found


@needs_namespaces
def test_a_fork_bomb_runs_out_of_processes_and_leaves_none() -> None:
    bomb = """
import ctypes, os
ctypes.CDLL(None).prctl(15, b"fuzzbomb", 0, 0, 0)
made = 0
try:
    while True:
        if os.fork() == 0:
            import time; time.sleep(60)
        made += 1
except BlockingIOError:
    print("no more after", made)
"""
    try:
        told = run(bomb)
        assert told.startswith("no more after") and int(told.split()[-1]) < LIMITS.processes
    except ToolError as error:  # of root, whom no limit of processes binds, they are counted; a bomb slows that too
        assert "32 processes, or was killed" in str(error) or "took longer than" in str(error)
    deadline = time.monotonic() + 20
    while processes_with("fuzzbomb"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@needs_namespaces
def test_a_daemon_that_ignores_every_signal_is_gone_with_its_program() -> None:
    daemon = """
import ctypes, os, signal, time
for number in set(range(1, 32)) - {signal.SIGCHLD}:
    try: signal.signal(number, signal.SIG_IGN)
    except OSError: pass
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(15, b"fuzzdaemon", 0, 0, 0)
        os.closerange(0, 3)
        time.sleep(60)
    os._exit(0)
os.wait()
print("left")
"""
    assert run(daemon) == "left\n"
    deadline = time.monotonic() + 20
    while processes_with("fuzzdaemon"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_program_that_ignores_signals_and_waits_is_killed() -> None:
    code = "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\nwhile True: time.sleep(1)"
    with pytest.raises(ToolError, match=r"took longer than 2 s"):
        run(code, LIMITS._replace(seconds=2))


@needs_landlock
@pytest.mark.parametrize("path", ["/proc/1/environ", "/etc/passwd", "/etc/shadow", "/proc/1/cmdline", "/root/.bashrc"])
def test_files_of_the_system_cannot_be_read(path: str) -> None:
    refused(f"print(open({path!r}).read())", "PermissionError", "FileNotFoundError")


@needs_landlock
def test_a_secret_beside_the_folder_cannot_be_read_not_by_a_link_either(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=secret-7")
    place = str(tmp_path / ".env")
    for code in (f"print(open({place!r}).read())", f"import os; os.symlink({place!r}, 'x'); print(open('x').read())"):
        assert "secret-7" not in refused(code, "PermissionError")
    refused(f"import os; os.link({place!r}, 'y'); print(open('y').read())", "PermissionError", "OSError")
    refused(f"import os; print(os.listdir({str(tmp_path)!r}))", "PermissionError")


@needs_landlock
def test_links_lead_no_writing_out_of_the_folder(tmp_path: Path) -> None:
    refused(f"import os; os.symlink({str(tmp_path)!r}, 'out'); open('out/x', 'w')", "PermissionError")
    refused("open('../x', 'w')", "PermissionError")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "change",
    ["os.chmod(p, 0o777)", "os.utime(p, (1, 1))", "os.chown(p, 12345, 12345)", "os.setxattr(p, 'user.a', b'x')"],
)
def test_modes_times_owners_and_attributes_of_files_stay(tmp_path: Path, change: str) -> None:
    (tmp_path / "mine").write_text("x")
    before = (tmp_path / "mine").stat()
    run(f"import os; p = {str(tmp_path / 'mine')!r}; {change}")  # seems to succeed, as copying a file needs
    after = (tmp_path / "mine").stat()
    assert (before.st_mode, before.st_mtime_ns, before.st_uid) == (after.st_mode, after.st_mtime_ns, after.st_uid)


def test_no_socket_of_any_kind_can_be_made(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        server.listen()
        for family, address in (("AF_INET", ("127.0.0.1", 9)), ("AF_UNIX", str(tmp_path / "socket"))):
            refused(f"import socket; socket.socket(socket.{family}).connect({address!r})", "not permitted")


@pytest.mark.parametrize(
    ("number", "arguments"),
    [
        (101, "16, 1, 0, 0"),
        (272, "0x10000000"),
        (319, "b'x', 0"),
        (29, "0, 1 << 30, 0o1600"),
        (425, "8, 0"),
        (0x40000000 + 41, "2, 1, 0"),
    ],
)
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="numbers of x86-64")
def test_calls_of_the_system_made_by_hand_are_refused(number: int, arguments: str) -> None:
    library = "import ctypes; library = ctypes.CDLL(None, use_errno=True)"
    code = f"{library}; print(library.syscall({number}, {arguments}), ctypes.get_errno())"
    assert run(code) == "-1 1\n"  # EPERM


def test_other_processes_get_no_signal() -> None:
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    run(f"import os\nfor p in (-1, {child}, {os.getpid()}):\n    try: os.kill(p, 9)\n    except OSError: pass")
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    os.kill(child, 9)
    os.waitpid(child, 0)


def test_a_zip_bomb_in_memory_ends_by_the_limit() -> None:
    packed = (
        "import zlib\nc = zlib.compressobj(9)\nz = b''.join(c.compress(bytes(2**20)) for _ in range(400)) + c.flush()"
    )
    code = f"{packed}\nprint(len(zlib.decompress(z)))"
    refused(code, "MemoryError", "CPU time")


def test_output_of_errors_without_end_is_cut_too() -> None:
    refused("import sys\nwhile True: sys.stderr.write('x' * 10000)", "printed more than 2000 characters")


@needs_landlock
def test_a_program_may_delete_its_own_folder_and_nothing_else() -> None:
    assert run("import os, shutil; shutil.rmtree('.', ignore_errors=True); print(os.listdir('.'))") in ("[]\n",)
    assert run("print('still here')") == "still here\n"


def test_a_terminal_s_codes_are_only_text() -> None:
    assert run("print('\\x1b[2J')") == "\x1b[2J\n"  # shown by `reporting.plain` wherever a terminal is


def test_libraries_of_python_and_threads_still_work() -> None:
    code = """
import asyncio, decimal, json, shutil, sqlite3, tempfile, threading
from concurrent.futures import ThreadPoolExecutor
with ThreadPoolExecutor(4) as pool:
    print(sum(pool.map(abs, [-1, 2, -3])))
print(sqlite3.connect('x.db').execute('SELECT 1 + 1').fetchone()[0])
with tempfile.NamedTemporaryFile() as file:
    file.write(b'x')
shutil.copy('x.db', 'y.db')
async def main(): await asyncio.sleep(0); return 'async'
print(asyncio.run(main()))
"""
    assert run(code) == "6\n2\nasync\n"
