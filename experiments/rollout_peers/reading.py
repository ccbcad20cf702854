"""What every client of the benchmark reports about itself: CPU, wall time and memory of its own process."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, NamedTuple

SYSTEM = "You add numbers with the help of a tool. Answer with the sum and nothing else."
QUESTION = "What is the sum of 1, 2, 3, 4 and 5? Add one number at a time."


class Asked(NamedTuple):
    """What one client is to do."""

    base_url: str
    episodes: int
    concurrency: int
    folder: Path
    """Where it writes what its users would find after a run."""


def asked() -> Asked:
    """From the command line: base URL, episodes, concurrency, folder."""
    url, episodes, concurrency, folder = sys.argv[1:5]
    return Asked(url, int(episodes), int(concurrency), Path(folder))


def run_on_uvloop(main: Coroutine[Any, Any, int]) -> int:
    """The result of a coroutine."""
    import uvloop

    return uvloop.run(main)


class Watch:
    """CPU and wall time from its making on, and memory; one line of JSON at the end."""

    def __init__(self) -> None:
        self._imported_cpu_s = time.process_time()
        self._before_mb = _peak_mb()
        self._wall = time.perf_counter()

    def report(self, given: Asked, right: int) -> None:
        """Prints what this process has used."""
        wall_s = time.perf_counter() - self._wall
        found = {
            "import_cpu_s": self._imported_cpu_s,
            "cpu_s": time.process_time() - self._imported_cpu_s,
            "wall_s": wall_s,
            "before_mb": self._before_mb,
            "peak_mb": _peak_mb(),
            "bytes": sum(file.stat().st_size for file in given.folder.rglob("*") if file.is_file()),
            "right": right,
        }
        print(json.dumps(found), flush=True)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
