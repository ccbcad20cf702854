"""Rolls an agent out on tasks, alone or with an expert who steps in, and keeps every step as data.

  python -m agentbench.rollout expert_mode=informed
  python -m agentbench.rollout experiment=informed_alternates tasks.limit=50 env.tools=slot_filling
  python -m agentbench.rollout model=openai model.base_url=http://127.0.0.1:8000/v1 model.name=my-model

Writes trajectories.jsonl and summary.json to outputs/rollout/<time>/; resume=<that folder> goes on with it.
Exit codes: 0 done, 1 a bug of ours, 2 configuration, 3 more failed episodes than max_failures, 4 interrupted,
5 something a run needs is missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentbench.config.entry import RolloutConfig


def run(config: RolloutConfig, folder: Path) -> float | None:
    """Rolls out the configured agent and writes its trajectories to the folder; its success."""
    from agentbench.build import cluster, tracking
    from agentbench.episodes.pool import run_async

    with tracking.tracked(config, folder, app.say) as tracker:
        rollout = tracker.watched(cluster.launched(config, app.say))
        summary = run_async(rollout.play(folder))
        tracker.add_summary(summary)
    app.say(f"trajectories: {os.path.relpath(folder / 'trajectories.jsonl')}")
    return summary.success.rate


def after_sweep(jobs: Sequence[app.Job]) -> None:
    """Prints what came of each job in one table, draws it, and writes both beside them."""
    from agentbench.build.sweeps import sum_up_episodes

    sum_up_episodes(jobs, app.say)


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("rollout", __doc__, "RolloutConfig", run, after_sweep)))
