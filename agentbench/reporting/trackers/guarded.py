"""Between a run and its tracker: whatever goes wrong there costs the run one line and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agentbench.config.secrets import redacted
from agentbench.reporting.trackers import Counted, Table, Tracker, Untracked

log = logging.getLogger(__name__)


class Guarded:
    """A tracker that never raises: its first failure is told, and nothing more is sent to it."""

    def __init__(self, name: str, start: Callable[[], Tracker], report: Callable[[str], None]) -> None:
        """`start` begins the tracked run; it too may fail."""
        self._name, self._report = name, report
        self._tracker: Tracker = Untracked()
        self._do(lambda: self._begin(start))

    def log(self, metrics: Mapping[str, float], step: int, counted: Counted) -> None:
        """Passes on points of curves."""
        self._do(lambda: self._tracker.log(metrics, step, counted))

    def table(self, name: str, table: Table) -> None:
        """Passes on a table."""
        self._do(lambda: self._tracker.table(name, table))

    def files(self, name: str, files: Sequence[Path]) -> None:
        """Passes on files."""
        self._do(lambda: self._tracker.files(name, files))

    def finish(self, summary: Mapping[str, float], exit_code: int) -> None:
        """Passes on the final figures and ends the tracked run."""
        self._do(lambda: self._tracker.finish(summary, exit_code))

    def _begin(self, start: Callable[[], Tracker]) -> None:
        self._tracker = start()

    def _do(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # whatever a tracker's package raises: the run is worth more than its picture
            self._tracker = Untracked()
            what = redacted(" ".join(f"{type(error).__name__}: {error}".split()))[:300]
            log.warning("tracker=%s failed", self._name, exc_info=True)
            self._report(f"warning: tracker={self._name} failed and is left alone, the run goes on ({what})")
