"""Plays 200 counting tasks slowly enough to be stopped: `python counting_run.py <folder> <pause in seconds>`."""

from __future__ import annotations

import sys
from pathlib import Path

from conftest import counting_parts, counting_task

from agentbench.episodes.pool import run_async
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.errors import AgentbenchError

if __name__ == "__main__":
    folder, pause_s = Path(sys.argv[1]), float(sys.argv[2])
    tasks = [counting_task(f"task-{number}") for number in range(200)]
    settings = PoolSettings(4, 10, 0, 60.0, 0.0, quiet=True)
    try:
        run_async(run_tasks(tasks, lambda task, seed: counting_parts(task, seed, pause_s), settings, folder))
    except AgentbenchError as end:
        print(f"{type(end).__name__}: {end}")
        sys.exit(end.exit_code)
