"""Commands of a study, run one after the other as a user would type them; those that ended well are not run again."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import orjson


class Command(NamedTuple):
    """One run of an entry point, and the folder it writes to."""

    folder: Path
    entry: str
    arguments: tuple[str, ...]


def run(command: Command) -> int:
    """Runs a command unless the same one has ended well since its inputs were written; its exit code.

    What an interrupted or another command left is moved aside: nothing below `outputs/` is deleted.
    """
    line = ("-m", f"agentbench.{command.entry}", *command.arguments, f"hydra.run.dir={command.folder}")
    if _ended_well(command.folder, line):
        return 0
    if command.folder.is_dir():
        command.folder.rename(_unused(command.folder))
    print(f"\n$ python {' '.join(line)}", flush=True)
    threads = {"OMP_NUM_THREADS": "1", **os.environ}
    return subprocess.run([sys.executable, *line], check=False, env=threads).returncode


def _ended_well(folder: Path, line: Sequence[str]) -> bool:
    path = folder / "run.json"
    if not path.is_file():
        return False
    ran = orjson.loads(path.read_bytes())
    same = ran.get("exit_code") == 0 and shlex.split(ran["command"])[1:] == list(line)
    return same and _written(line[:-1]) < datetime.fromisoformat(ran["started"]).timestamp()


def _written(line: Sequence[str]) -> float:
    """When the newest of the study's files that a command reads was written, in seconds since the epoch."""
    named = [Path(path) for path in re.findall(r"outputs/\w+_study[^],]*", " ".join(line).replace(" ", ","))]
    files = [file for path in named for file in (path.rglob("*") if path.is_dir() else [path])]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)


def _unused(folder: Path) -> Path:
    names = (folder.with_name(f"{folder.name}.interrupted_{number}") for number in range(1, 1_000))
    return next(name for name in names if not name.exists())
