"""`run_python`: a program in a process of its own, with limits; see `sandbox.py` for what keeps it in, and what not."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

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
            return f"the program used more than {limits.cpu_s} s of CPU time, or was killed"
        if ended.code:
            return ended.errors.strip()[-_SHOWN_CHARS:] or f"the program ended with code {ended.code}"
        return ""

    async def _run(self, code: str, folder: str) -> _Ended | None:
        """How the program ended; `None` if it did not in time. All its processes are gone afterwards."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", "-X", "utf8", str(_SANDBOX)),
            cwd=folder,
            env={"PATH": os.defpath, "HOME": folder, "TMPDIR": folder},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(self._limits.seconds):
                return await self._watched(process, code)
        except TimeoutError:
            return None
        finally:
            _end(process)
            await process.wait()

    async def _watched(self, process: asyncio.subprocess.Process, code: str) -> _Ended:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{self._told()}\n{code}".encode("utf-8", "replace"))
        process.stdin.close()
        most = self._limits.output_chars
        (output, too_much), (errors, _) = await asyncio.gather(
            _read(process, process.stdout, most), _read(process, process.stderr, most)
        )
        return _Ended(await process.wait(), output, errors, too_much)

    def _told(self) -> str:
        limits = self._limits
        mib = 2**20
        return json.dumps(
            {"cpu_s": limits.cpu_s, "memory_bytes": limits.memory_mib * mib, "file_bytes": limits.file_mib * mib}
        )


async def _read(process: asyncio.subprocess.Process, stream: asyncio.StreamReader, most: int) -> tuple[str, bool]:
    """What a stream holds, and whether that is more than `most` bytes; then the process is ended."""
    said = b""
    while part := await stream.read(2**16):
        said += part
        if len(said) > most:
            _end(process)
            return said[:most].decode("utf-8", "replace"), True
    return said.decode("utf-8", "replace"), False


def _end(process: asyncio.subprocess.Process) -> None:
    """Kills a process with its group; with namespaces of processes, that is all it has started."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
