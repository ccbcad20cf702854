"""`run_python`: a program in a process of its own, with limits; see `sandbox.py` for what keeps it in, and what not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple, cast

import orjson

from agentbench.errors import ToolError
from agentbench.tools.assistant.specs import RUN_PYTHON
from agentbench.types import Observation

_SANDBOX = Path(__file__).parent / "sandbox.py"
_BY_CPU = 128 + signal.SIGXCPU
_KILLED = 128 + signal.SIGKILL
_SHOWN_CHARS = 1000
"""Longest part of an error that the agent is shown."""


class Limits(NamedTuple):
    """What a program may use."""

    seconds: float = 10.0
    """Wall time."""
    cpu_s: int = 5
    memory_mib: int = 512
    file_mib: int = 16
    """Longest file it may write."""
    output_chars: int = 10_000
    """Longest output; a program that prints more is ended."""
    processes: int = 32
    """Processes and threads it may have at once, where it can have namespaces; memory is counted for each."""


class _Ended(NamedTuple):
    code: int
    output: str
    errors: str
    too_much: bool


class RunPython:
    """Gives what a program prints, as `{"output": "…"}`. It keeps nothing, so episodes may share it."""

    spec = RUN_PYTHON

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """What the program printed; its working folder is empty before and gone afterwards.

        Raises:
            ToolError: it failed, or used more than it may; the message ends with what it had printed.
        """
        with tempfile.TemporaryDirectory(prefix="program-", ignore_cleanup_errors=True) as folder:
            ended = await self._run(arguments["code"], folder)
        if ended is None:
            raise ToolError(f"the program took longer than {self._limits.seconds:g} s")
        problem = self._problem(ended)
        if problem:
            printed = f"; before that it printed: {ended.output[:_SHOWN_CHARS]!r}" if ended.output else ""
            raise ToolError(f"{problem}{printed}")
        return Observation(orjson.dumps({"output": ended.output}).decode())

    def _problem(self, ended: _Ended) -> str:
        """Why the program did not come to a good end; empty where it did."""
        limits = self._limits
        if ended.too_much:
            return f"the program printed more than {limits.output_chars} characters"
        if ended.code in (_BY_CPU, _KILLED):
            most = f"{limits.cpu_s} s of CPU time or {limits.processes} processes"
            return f"the program used more than {most}, or was killed"
        if ended.code:
            return ended.errors.strip()[-_SHOWN_CHARS:] or f"the program ended with code {ended.code}"
        return ""

    async def _run(self, code: str, folder: str) -> _Ended | None:
        """How the program ended; `None` if it did not in time. All its processes are gone afterwards."""
        transport, program = await asyncio.get_running_loop().subprocess_exec(
            lambda: _Program(self._limits.output_chars),
            *(sys.executable, "-I", "-S", "-X", "utf8", str(_SANDBOX)),
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder},
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._limits.seconds):
                program.tell(f"{self._told()}\n{code}".encode("utf-8", "replace"))
                await program.ended
        except TimeoutError:
            return None
        finally:
            _end(transport)
            await program.exited.wait()
            transport.close()
        return _Ended(transport.get_returncode() or 0, *program.said(), program.too_much)

    def _told(self) -> str:
        limits = self._limits
        mib = 2**20
        return json.dumps(
            {
                "cpu_s": limits.cpu_s,
                "memory_bytes": limits.memory_mib * mib,
                "file_bytes": limits.file_mib * mib,
                "processes": limits.processes,
            }
        )


class _Program(asyncio.SubprocessProtocol):
    """Holds what a process says, which is ended where that is too much."""

    def __init__(self, most: int) -> None:
        self.ended = asyncio.get_running_loop().create_future()
        """Done as soon as the process has exited and all its output is read, or when it was ended."""
        self.exited = asyncio.Event()
        self.too_much = False
        self._most = most
        self._said = {1: bytearray(), 2: bytearray()}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.SubprocessTransport, transport)  # uvloop's own are none by class

    def tell(self, said: bytes) -> None:
        """Writes the whole of the standard input."""
        pipe = cast(asyncio.WriteTransport, self._transport.get_pipe_transport(0))
        pipe.write(said)
        pipe.close()

    def said(self) -> tuple[str, str]:
        """Standard output and errors, each as far as it may go."""
        output, errors = (bytes(said[: self._most]).decode("utf-8", "replace") for said in self._said.values())
        return output, errors

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        said = self._said[fd]
        said += data
        if len(said) > self._most:
            self.too_much = True
            self._is_over()

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_over()

    def _is_over(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


def _end(transport: asyncio.SubprocessTransport) -> None:
    """Kills a process with its group; with namespaces of processes, that is all it has started."""
    if transport.get_returncode() is None:
        os.killpg(transport.get_pid(), signal.SIGKILL)
