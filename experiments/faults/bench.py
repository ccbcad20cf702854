"""One cell of the matrix: a folder of its own, an entry point, and what is demanded of every run in it."""

from __future__ import annotations

import shlex
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import NamedTuple

from agentbench.errors import (
    AgentbenchError,
    ConfigError,
    GateFailed,
    Interrupted,
    PreflightError,
    RunFailed,
)
from experiments.faults.children import Child, Ended, entry_command
from experiments.faults.disks import Disk
from experiments.faults.kitchen import Kitchen
from experiments.faults.model_server import ModelServer, model_server

DONE, BUG, CONFIG, FAILURES = 0, AgentbenchError.exit_code, ConfigError.exit_code, RunFailed.exit_code
STOPPED, MISSING, GATE = Interrupted.exit_code, PreflightError.exit_code, GateFailed.exit_code

Counts = Mapping[str, object]


class NotGreen(Exception):
    """Something that is demanded did not hold; the message says what."""


@dataclass(frozen=True)
class Entry:
    """An entry point in its smallest run. Paths of what it writes begin with `out/`."""

    row: str
    name: str
    arguments: Callable[[Kitchen, str], tuple[str, ...]]
    """Its overrides; the second argument is the address of a model server."""
    counts: Callable[[Path], Counts]
    """What an undisturbed run into a folder comes to."""
    kept: Callable[[Path], frozenset[str]]
    """What a folder holds finished, by name; it raises where that cannot be read."""
    half: Callable[[Path], bool]
    """Whether a run into a folder is well under way."""
    resumes: bool = False
    served: bool = False
    """Whether a model behind a server plays."""
    endless: bool = False
    """Whether it goes on until it is stopped."""
    dear: bool = False
    """Whether a run costs so much that faults are repeated less often."""


class Whole(NamedTuple):
    """An undisturbed run."""

    counts: Counts
    seconds: float
    bytes: int
    files: int
    largest: int
    """Bytes of the largest file."""


class Bench:
    """Runs one entry point in a folder. `make` is cheap; each cell has its own."""

    def __init__(self, entry: Entry, kitchen: Kitchen, folder: Path, seed: int) -> None:
        self.entry, self.kitchen, self.folder = entry, kitchen, folder
        self.rng = Random(f"{seed}/{entry.row}/{folder.name}")
        self.disk: Disk | None = None
        self.server: ModelServer | None = None
        self.environment: dict[str, str] = {}
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def out(self) -> Path:
        """The folder that runs write to, as this process sees it."""
        return self.disk.root if self.disk else self.folder / "out"

    def run_folder(self, name: str = "run") -> Path:
        """The folder of a run."""
        return self.out / name

    def start(self, *more: str, name: str = "run", resume: bool = False) -> Child:
        """Starts the entry point's run; `more` overrides come last."""
        place = f"resume=out/{name}" if resume else f"hydra.run.dir=out/{name}"
        url = self.server.url if self.server else "http://127.0.0.1:9/v1"
        given = {text.partition("=")[0] for text in more}
        usual = [text for text in self.entry.arguments(self.kitchen, url) if text.partition("=")[0] not in given]
        return self.child(entry_command(self.entry.name, *usual, *more, place))

    def child(self, command: list[str]) -> Child:
        """Starts a command where this cell's file system is."""
        line = self.disk.command(command, self.folder) if self.disk else command
        return Child(line, self.folder, self.environment)

    def next_of(self, ended: Ended) -> Child:
        """Starts what a run said would go on with it."""
        lines = [line for line in ended.err.splitlines() if line.startswith(("next: python", "then: python"))]
        demand(bool(lines), f"no command to go on with is told: {ended.err[-300:]!r}")
        words = shlex.split(lines[-1].partition(": ")[2])
        return self.child([sys.executable, *words[1:]])

    def complete(self, name: str, whole: Whole) -> None:
        """Demands that a folder holds what an undisturbed run's does, no more and no less."""
        found = self.entry.counts(self.run_folder(name))
        demand(found == whole.counts, f"it comes to {dict(found)}, undisturbed {dict(whole.counts)}")


def demand(holds: bool, problem: str) -> None:
    """Makes the cell red where something does not hold."""
    if not holds:
        raise NotGreen(problem)


def told(ended: Ended, *codes: int) -> None:
    """Demands a documented exit code, one clear message with what to do next, and nobody left behind.

    A run that ended well has to say nothing; one that was told to stop or cannot go on says `error:` and `next:`.
    """
    last = ended.err.strip()[-400:]
    demand(ended.code in codes, f"exit code {ended.code}, not {' or '.join(map(str, codes))}; it said {last!r}")
    demand("Traceback" not in ended.err + ended.out, f"a traceback: {last!r}")
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    if ended.code == DONE:
        demand(not errors, f"it ended well and said {errors}")
    else:
        demand(len(errors) == 1, f"{len(errors)} lines of error: {last!r}")
        demand("next: " in ended.err, f"no next step: {last!r}")
    demand(not ended.left, f"left behind: {ended.left}")


def undisturbed(entry: Entry, kitchen: Kitchen, folder: Path) -> Whole:
    """Plays a row's run once with nothing in its way."""
    bench = Bench(entry, kitchen, folder, 0)
    with model_server() as server:
        bench.server = server if entry.served else None
        child = bench.start()
        if entry.endless:
            child.wait_for(lambda: "http://" in child.out)
            child.send(signal.SIGTERM)
        ended = child.end()
    told(ended, DONE)
    files = [path for path in bench.out.rglob("*") if path.is_file()]
    size = sum(-(-path.stat().st_size // 4096) * 4096 for path in files)
    largest = max(path.stat().st_size for path in files)
    return Whole(entry.counts(bench.run_folder()), ended.seconds, size, len(files), largest)
