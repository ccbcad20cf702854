"""Facts of a run, and a tracker that keeps what it is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from agentbench.reporting.trackers import Counted, RunFacts, Table


class Noted:
    """Keeps everything; raises from the call of this name on."""

    def __init__(self, fails_in: str = "") -> None:
        self.points: list[tuple[int, dict[str, float]]] = []
        self.tables: dict[str, Table] = {}
        self.calls: list[str] = []
        self._fails_in = fails_in

    def log(self, metrics: Mapping[str, float], step: int, counted: Counted) -> None:
        self._call("log")
        self.points.append((step, dict(metrics)))

    def table(self, name: str, table: Table) -> None:
        self._call("table")
        self.tables[name] = table

    def files(self, name: str, files: Sequence[Path]) -> None:
        self._call("files")

    def finish(self, summary: Mapping[str, float], exit_code: int) -> None:
        self._call("finish")

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self._fails_in:
            raise ConnectionError("no route\nwith the key sk-abcdefgh")


@pytest.fixture
def facts(tmp_path: Path) -> RunFacts:
    """A job of a sweep."""
    config = {"seed": 0, "model": {"kind": "tiny"}}
    return RunFacts("rollout", "0: seed=0", "sweep_1", tmp_path, config, {"command": "python -m agentbench.rollout"})
