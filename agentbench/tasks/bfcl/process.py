"""The official package in a process of its own: its pins clash with ours, and its executor runs `eval()`."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.app.children import end_with_parent
from agentbench.errors import PreflightError, ToolServerError

BUILT_BY_MAKE = Path(".venv-bfcl/bin/python")
OFFICIAL = Path(__file__).parent / "official.py"
_LOAD_S = 120.0
_LONGEST_LINE = 2**26
"""Bytes of one answer; directories of the long-context questions are large."""

Json = dict[str, Any]


def official_command(python: Path | None, *arguments: str) -> list[str]:
    """The command that runs the official side; `None` asks for the environment that `make bfcl` builds.

    Raises:
        PreflightError: there is no such interpreter.
    """
    chosen = python or BUILT_BY_MAKE
    if not chosen.is_file():
        advice = "make bfcl, or name the environment that has bfcl-eval: env.python=…/bin/python"
        raise PreflightError(f"env.python={str(chosen)!r}: there is no such interpreter", advice)
    return [str(chosen.absolute()), "-I", str(OFFICIAL), *arguments]


class Loaded(NamedTuple):
    """Questions as `official.py` gives them."""

    categories: dict[str, list[Json]]
    """By category: entries, what a model is shown, and answers."""
    added: str
    """What the user says in a turn that brings functions and nothing else."""


def load(python: Path | None, categories: Sequence[str]) -> Loaded:
    """The official questions and answers of some categories.

    Raises:
        PreflightError: the environment is not there, or has no bfcl-eval.
    """
    command = official_command(python, "load", *categories)
    try:
        done = subprocess.run(command, capture_output=True, timeout=_LOAD_S, env=_environment(), check=True)
        return Loaded(**orjson.loads(done.stdout))
    except (OSError, subprocess.SubprocessError, orjson.JSONDecodeError) as error:
        told = error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else str(error)
        why = next((line for line in reversed(told.splitlines()) if line.strip()), "it is no Python interpreter")
        raise PreflightError(f"the questions of BFCL cannot be read with {command[0]!r}: {why}", "make bfcl") from error


class Official:
    """Asks one process, which is started by the first question; it does one thing at a time.

    A process that takes too long is killed, and what it remembered is lost; the next question starts another one.
    """

    def __init__(self, python: Path | None, timeout_s: float) -> None:
        self._python = python
        self._timeout_s = timeout_s
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def ask(self, do: str, **about: Any) -> Any:
        """The answer to one question.

        Raises:
            TimeoutError: there was none in time.
            ToolServerError: the official code raised, or its process ended.
        """
        async with self._turn:
            process = self._process or await self._started()
            assert process.stdin is not None and process.stdout is not None
            try:
                async with asyncio.timeout(self._timeout_s):
                    process.stdin.write(orjson.dumps({"do": do, **about}) + b"\n")
                    await process.stdin.drain()
                    line = await process.stdout.readline()
            except (TimeoutError, ConnectionError, asyncio.CancelledError):
                await self.close()
                raise
        if not line:
            await self.close()
            raise ToolServerError("BFCL's process ended; make bfcl builds its environment anew")
        told: Json = orjson.loads(line)
        if "error" in told:
            raise ToolServerError(f"BFCL's own code failed: {told['error']}")
        return told["answer"]

    async def close(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()
            await process.communicate()  # to the end of its pipes, which close with that

    async def _started(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            *official_command(self._python, "serve"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            limit=_LONGEST_LINE,
            preexec_fn=end_with_parent(signal.SIGKILL),
        )
        return self._process


def _environment() -> dict[str, str]:
    """What the process may know of ours: no keys."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
