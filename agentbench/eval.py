"""Evaluates an agent on held-out tasks, alone unless expert_mode says otherwise, and prints its scores with intervals.

  python -m agentbench.eval
  python -m agentbench.eval samples=4 agent.temperature=1 tasks.limit=100
  python -m agentbench.eval compare=[outputs/eval/2026-01-31_12-00-00] model.path=…
  python -m agentbench.eval regrade=outputs/eval/2026-01-31_12-00-00 judge=llm judge.endpoint.name=… …
  python -m agentbench.eval -m env.tools=rest,slot_filling,selection

An agent that does nothing and the gold chains play the same tasks, for their figures beside every table.
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

    from agentbench.config.entry import EvalConfig


def run(config: EvalConfig, folder: Path) -> float | None:
    """Evaluates the configured agent, or an earlier run anew; writes trajectories and figures, gives its success."""
    from agentbench.build.evaluation import Evaluation, evaluation, outcome
    from agentbench.build.tracking import tracked
    from agentbench.episodes.pool import run_async
    from agentbench.errors import RunFailed

    with tracked(config, folder, app.say) as tracker:
        planned = evaluation(config, app.say)
        if isinstance(planned, Evaluation):
            planned = planned._replace(rollout=tracker.watched(planned.rollout))
        try:
            summary = run_async(planned.play(folder))
        except RunFailed:
            app.show(outcome(config, folder))
            raise
        tracker.add_summary(summary)
        app.show(outcome(config, folder))
    app.say(f"scores: {os.path.relpath(folder / 'summary.json')}, {os.path.relpath(folder / 'statistics.json')}")
    return summary.success.rate


def after_sweep(jobs: Sequence[app.Job]) -> None:
    """Prints what came of each job in one table, draws it, and writes both beside them."""
    from agentbench.build.sweeps import sum_up_episodes

    sum_up_episodes(jobs, app.say)


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("eval", __doc__, "EvalConfig", run, after_sweep)))
