"""CPU seconds of this process and its children, and how benchmarks write figures down. Linux only."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path


def cpu_s() -> float:
    """CPU seconds that this process and its living children have used, all threads that still live."""
    return time.process_time() + sum(_thread_seconds(pid) for pid in children())


def children() -> list[int]:
    """Process ids of this process's own children."""
    return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _parent(pid) == os.getpid()]


def spread(values: Sequence[float], digits: int = 3) -> str:
    """The median, and the 10th to 90th percentile behind it."""
    if len(values) < 2:
        return f"{values[0]:.{digits}f}" if values else ""
    deciles = statistics.quantiles(values, n=10)
    return f"{statistics.median(values):.{digits}f} ({deciles[0]:.{digits}f} to {deciles[-1]:.{digits}f})"


def heading(command: str) -> str:
    """What was run, of which commit, on what."""
    root = Path(__file__).parent
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False, cwd=root
    )
    commit = done.stdout.strip() or "unknown"
    machine = f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    return f"command: {command}   commit: {commit}\n{machine}"


def _parent(pid: int) -> int:
    try:
        # The name, in parentheses, may hold anything.
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0


def _thread_seconds(pid: int) -> float:
    """From schedstat, in nanoseconds; `/proc/<pid>/stat` counts in hundredths of a second."""
    try:
        files = list(Path(f"/proc/{pid}/task").glob("*/schedstat"))
        return sum(int(file.read_text().split()[0]) for file in files) / 1e9
    except OSError:
        return 0.0
