"""Where a run's curves, tables and files are shown beside its folder. The folder holds everything; trackers show it.

A tracker may fail in any way: `guarded.Guarded` stands between it and the run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple, Protocol

Cell = str | float | int | bool
"""What stands in a table."""


class Counted(StrEnum):
    """What the horizontal axis of a curve counts; a run may have curves of both kinds."""

    EPISODES = "episodes"
    STEPS = "optimizer_steps"


class RunFacts(NamedTuple):
    """What a tracker is told of a run when it starts."""

    entry: str
    """Name of the entry point."""
    name: str
    """Name of the run; in a sweep what sets it apart."""
    group: str
    """Name of the sweep's folder; empty outside a sweep."""
    folder: Path
    config: dict[str, Any]
    """The whole configuration, ready for JSON; secrets are never in it."""
    lineage: dict[str, Any]
    """Command, commit, and path, size and hash of every file the run was made of."""


class Table(NamedTuple):
    """A bounded table."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[Cell, ...]]


class Tracker(Protocol):
    """One run as it is shown elsewhere; its methods raise whatever the tracker's package raises."""

    def log(self, metrics: Mapping[str, float], step: int, counted: Counted) -> None:
        """Points of curves; `step` is how many were counted, and only grows."""
        ...

    def table(self, name: str, table: Table) -> None:
        """A table, shown once."""
        ...

    def files(self, name: str, files: Sequence[Path]) -> None:
        """Files of the run's folder as one artifact."""
        ...

    def finish(self, summary: Mapping[str, float], exit_code: int) -> None:
        """The final figures; nothing is told afterwards."""
        ...


class Untracked:
    """The run's folder alone."""

    def log(self, metrics: Mapping[str, float], step: int, counted: Counted) -> None:
        """Nobody looks."""

    def table(self, name: str, table: Table) -> None:
        """Nobody looks."""

    def files(self, name: str, files: Sequence[Path]) -> None:
        """Nobody looks."""

    def finish(self, summary: Mapping[str, float], exit_code: int) -> None:
        """Nothing to end."""
