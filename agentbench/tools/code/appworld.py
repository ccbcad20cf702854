"""AppWorld as a process that belongs to a run, and its worlds as objects that belong to an episode.

The process is started before the first episode and killed with all its children at the end, by the system where this
process is killed (Linux). A world that does not answer in time is killed; it is lost with its episode, and no other is.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.app.children import end_with_parent
from agentbench.errors import PreflightError, ToolServerError

BUILT_BY_MAKE = Path(".venv-appworld/bin/python")
"""Where `make appworld` puts it."""

_WORKER = Path(__file__).parent / "worker.py"
ADVICE = "make appworld, or name the environment that has it: env.python=…/bin/python"
"""What to do where AppWorld is missing."""
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH")
"""Environment variables that code of a model may see."""
_GRACE_S = 10.0
"""Seconds beyond the time limit of code that a world may take to answer."""
_OPEN_S = 120.0
"""Longest time a world may take to open or to be judged, in seconds; a machine may be busy."""
_START_S = 300.0
_LONGEST_LINE = 64 * 2**20


class WorldLimits(NamedTuple):
    """What code in a world may take."""

    timeout_s: float
    """Longest time of one call; whole seconds, at least one."""
    longest_output: int
    """Characters of what it prints that are kept."""
    memory_gib: float
    """Address space of a world's process."""
    at_once: int
    """Worlds open at the same time; more wait."""


class Opened(NamedTuple):
    """What a world tells at its beginning."""

    instruction: str
    user: dict[str, str]
    """Who asks: first_name, last_name, email, phone_number."""
    apps: dict[str, str]
    """Descriptions by name."""
    apis: dict[str, dict[str, str]]
    """Descriptions by app and name."""


class Executed(NamedTuple):
    """What became of some code."""

    text: str
    failed: bool
    """It raised, was refused, or took too long."""
    completed: bool
    """The task has been marked as completed by now."""


class Judged(NamedTuple):
    """What AppWorld's own tests say."""

    solved: bool | None
    """All tests passed; `None` where the task has none here."""
    tests: int
    passed: int
    failed: tuple[str, ...]
    """What the tests that did not pass ask for."""


class AppWorldProcess:
    """The process; worlds come from `open`. Belongs to one event loop."""

    def __init__(self, python: Path | None, root: Path, limits: WorldLimits) -> None:
        """`python`: the interpreter that has AppWorld, off: the one of `make appworld`; `root`: the folder that holds
        AppWorld's `data`."""
        self._python = python or BUILT_BY_MAKE
        self._root = root
        self._limits = limits
        self._free = asyncio.Semaphore(limits.at_once)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None

    def start(self) -> None:
        """Starts the process and waits until it has loaded AppWorld, some seconds; nothing where it runs.

        Raises:
            PreflightError: there is no such interpreter, or it cannot load AppWorld.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.stop()
        folder = Path(tempfile.mkdtemp(prefix="agentbench-appworld-"))
        self._folder = folder
        try:
            with (folder / "log").open("wb") as log:
                self._process = subprocess.Popen(
                    [self._python.absolute(), "-sP", str(_WORKER)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    cwd=folder,
                    env=environment(folder),
                    start_new_session=True,
                    preexec_fn=end_with_parent(signal.SIGTERM),
                )
        except OSError as error:
            self.stop()
            raise PreflightError(f"env.python={str(self._python)!r}: {error.strerror}", ADVICE) from error
        self._hear_of_it(folder)

    def _hear_of_it(self, folder: Path) -> None:
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None
        limits = self._limits
        settings = {
            "folder": str(folder),
            "root": str(self._root.resolve()),
            "timeout_s": max(1, int(limits.timeout_s)),
            "longest_output": limits.longest_output,
            "memory_bytes": int(limits.memory_gib * 2**30),
        }
        with contextlib.suppress(BrokenPipeError):  # it says why in its log
            process.stdin.write(json.dumps(settings).encode() + b"\n")
            process.stdin.flush()
        if not process.stdout.readline():
            said = last_line(folder / "log")
            self.stop()
            problem = f"the interpreter {str(self._python)!r} cannot load AppWorld: {said}"
            raise PreflightError(problem, ADVICE)

    async def open(self, task: str) -> World:
        """The world of a task, a process of its own; waits where too many are open.

        Raises:
            ToolServerError: it cannot be opened.
            PreflightError: AppWorld's process has ended and cannot be started again.
        """
        await self._free.acquire()
        try:
            world = World(*await self._connected(), self._free, self._limits)
        except BaseException:
            self._free.release()
            raise
        try:
            await world.begin(task)
        except BaseException:
            await world.close()
            raise
        return world

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.start()
        assert self._folder is not None
        try:
            return await asyncio.open_unix_connection(str(self._folder / "socket"), limit=_LONGEST_LINE)
        except OSError as error:
            raise ToolServerError(f"AppWorld's process was lost: {error}") from error

    def stop(self) -> None:
        """Kills the process with its children and removes its folder. May be called at any time, more than once."""
        if self._process is not None:
            self._process.kill()  # its children die with it
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe is not None:
                    pipe.close()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class World:
    """One episode's world."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        free: asyncio.Semaphore,
        limits: WorldLimits,
    ) -> None:
        self._reader, self._writer = reader, writer
        self._free, self._limits = free, limits
        self._closed = self._waiting = False
        self._process = 0
        self.opened = Opened("", {}, {}, {})

    async def begin(self, task: str) -> None:
        """Opens the task's databases; `opened` is known from then on.

        Raises:
            ToolServerError: there is no such task, or its data are broken.
        """
        told = await self._ask({"do": "open", "task": task}, _OPEN_S)
        self._process = told["pid"]
        self.opened = Opened(told["instruction"], told["user"], told["apps"], told["apis"])

    async def execute(self, code: str) -> Executed:
        """Runs code in the world's session.

        Raises:
            ToolServerError: the world is lost: its process ended, or did not answer in time.
        """
        told = await self._ask({"do": "execute", "code": code}, self._limits.timeout_s + _GRACE_S)
        return Executed(told["text"], told["failed"], told["completed"])

    async def evaluate(self) -> Judged:
        """What AppWorld's tests say of the world as it stands.

        Raises:
            ToolServerError: the world is lost, or its tests cannot be run.
        """
        told = await self._ask({"do": "evaluate"}, _OPEN_S)
        return Judged(told["solved"], told["tests"], told["passed"], tuple(told["failed"]))

    async def close(self) -> None:
        """Ends the world's process, also while code runs in it. May be called at any time, more than once."""
        if self._closed:
            return
        self._closed = True
        if self._waiting:
            self._kill()
        self._writer.close()
        self._free.release()
        with contextlib.suppress(ConnectionError):  # it may be gone already
            await self._writer.wait_closed()

    async def _ask(self, told: dict[str, Any], longest_s: float) -> dict[str, Any]:
        self._waiting = True
        try:
            async with asyncio.timeout(longest_s):
                self._writer.write(json.dumps(told).encode() + b"\n")
                await self._writer.drain()
                line = await self._reader.readline()
        except TimeoutError as error:
            raise ToolServerError(f"AppWorld's process did not answer within {longest_s:g} s") from error
        except (ConnectionError, ValueError) as error:
            raise ToolServerError(f"AppWorld's process was lost: {error}") from error
        self._waiting = False
        if not line:
            raise ToolServerError("AppWorld's process ended in the middle of an episode")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise ToolServerError(f"AppWorld could not {told['do']}: {answer['error']}")
        return answer

    def _kill(self) -> None:
        if self._process:
            with contextlib.suppress(ProcessLookupError):  # it ended by itself
                os.killpg(self._process, signal.SIGKILL)


def environment(folder: Path) -> dict[str, str]:
    """What the process sees: nothing that is secret, a home of its own, and the same order of sets every time."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return {**passed, "HOME": str(folder), "IPYTHONDIR": str(folder / "ipython"), "PYTHONHASHSEED": "0"}


def last_line(log: Path) -> str:
    """The last thing that a log says."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
