"""Evaluates an agent on held-out tasks, alone unless expert_mode says otherwise, and prints its scores with intervals.

  python -m agentbench.eval
  python -m agentbench.eval tasks.limit=100 env.scenario=rag_before_api
  python -m agentbench.eval -m env.tools=rest,slot_filling,selection

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


def run(config: RolloutConfig, folder: Path) -> None:
    """Evaluates the configured agent and writes its trajectories and scores to the folder."""
    from agentbench.build import runs
    from agentbench.episodes.pool import run_async

    rollout = runs.rollout(config, app.say)
    run_async(rollout.play(folder))
    app.say(f"scores: {os.path.relpath(folder / 'summary.json')}")


def after_sweep(jobs: Sequence[app.Job]) -> None:
    """Prints what came of each job in one table, and writes it beside them."""
    from agentbench.episodes.sweep_table import sum_up, sweep_table

    outcomes = sum_up(jobs)
    app.show(sweep_table(outcomes))


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("eval", __doc__, "RolloutConfig", run, after_sweep)))
