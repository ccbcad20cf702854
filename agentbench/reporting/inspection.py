"""The files of a run's folder looked through: which versions they have, whether each can be read, and what changed."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from agentbench.app.checksums import CHECKSUMS, changed
from agentbench.app.record import read_record
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import SUMMARY, read_summary
from agentbench.errors import AgentbenchError, GateFailed, PreflightError
from agentbench.tasks.files import read_tasks
from agentbench.tools.retriever.quantised import INDEX, read_info
from agentbench.training_data.card import read_card
from agentbench.training_data.rows import ROWS, VALIDATION, read_rows
from agentbench.worlds.manifest import MANIFEST, read_world


class Looked(NamedTuple):
    """One file."""

    name: str
    """From the folder on."""
    formats: str
    """What its records say that they are, and how many where they are several."""
    problem: str
    """Empty where it can be read."""


class Inspection(NamedTuple):
    """A folder."""

    folder: Path
    files: tuple[Looked, ...]
    changed: tuple[str, ...] | None
    """A line for each file that is not what it was; `None` where no checksums were written."""

    def gate(self) -> None:
        """Lets a folder pass in which all is well.

        Raises:
            GateFailed: a file cannot be read, or is not what it was.
        """
        unread = sum(bool(looked.problem) for looked in self.files)
        if unread or self.changed:
            told = f"{unread} files cannot be read, {len(self.changed or ())} are not what they were"
            raise GateFailed(f"{self.folder}: {told}")


def inspect_run(folder: Path) -> Inspection:
    """Reads every file of the folder, and of folders in it, whose kind has a version.

    Raises:
        PreflightError: there is no such folder, or nothing of a run in it.
        DataError: its list of checksums cannot be read.
    """
    if not folder.is_dir():
        raise PreflightError(f"run: there is no folder {str(folder)!r}", _NAME)
    known = ((path, _reader(path)) for path in sorted(folder.rglob("*")) if path.is_file())
    files = tuple(_looked(path, folder, read) for path, read in known if read is not None)
    sums = changed(folder) if (folder / CHECKSUMS).is_file() else None
    if not files and sums is None:
        raise PreflightError(f"run: nothing that a run wrote is in {str(folder)!r}", _NAME)
    return Inspection(folder, files, sums)


def inspection_table(found: Inspection) -> Table:
    """A row for each file, and below them what the checksums say."""
    told = "no checksums were written" if found.changed is None else "\n".join(found.changed) or "all checksums hold"
    table = Table(caption=Text(told), caption_justify="left")
    for heading in ("file", "format", "problem"):
        table.add_column(heading)
    for looked in found.files:
        table.add_row(*map(Text, looked))
    return table


_NAME = "name a run's folder, as outputs/rollout/<time>"


def _looked(path: Path, folder: Path, read: Callable[[Path], object]) -> Looked:
    problem = ""
    try:
        read(path)
    except AgentbenchError as error:
        problem = str(error)
    return Looked(path.relative_to(folder).as_posix(), _formats(path), problem)


def _reader(path: Path) -> Callable[[Path], object] | None:
    """How a file is read; `None` where its kind has no version."""
    if path.suffix == ".jsonl" and "tasks" in path.parts:
        return read_tasks
    return _READERS.get(path.name)


def _formats(path: Path) -> str:
    with path.open("rb") as file:
        lines = file if path.suffix == ".jsonl" else [file.read()]
        counts = Counter(_format(line) for line in lines if line.strip())
    return ", ".join(f"{name} ({count})" if path.suffix == ".jsonl" else name for name, count in sorted(counts.items()))


def _format(record: bytes) -> str:
    found = _TAG.search(record)
    return found[1].decode() if found else "version 1, unnamed"


_TAG = re.compile(rb'"format": ?"([a-z]+/\d+)"')


def _all(records: Iterator[object]) -> None:
    deque(records, maxlen=0)


_READERS: dict[str, Callable[[Path], object]] = {
    TRAJECTORIES: lambda path: _all(read_trajectories(path)),
    ROWS: lambda path: _all(read_rows(path)),
    VALIDATION: lambda path: _all(read_rows(path)),
    "card.json": read_card,
    SUMMARY: lambda path: read_summary(path.parent),
    "run.json": lambda path: read_record(path.parent),
    MANIFEST: lambda path: read_world(path.parent),
    INDEX: lambda path: read_info(path.parent),
}
