"""Trains a model on trajectories or rows (sft, dpo and its relatives, kto, orpo), or on episodes that it plays itself
(grpo, rloo, ppo).

  python -m agentbench.train
  python -m agentbench.train stage=dpo lora=lora rows=[outputs/build_prefs/2026-01-31_12-00-00/rows.jsonl]
  python -m agentbench.train stage=grpo model.path=… env.scenario=api tasks.split=train stage.evaluate_every=10
  python -m agentbench.train sweep=dpo_beta model=hf model.path=… rows=[…] validation_rows=[…] launcher=accelerate

Without rows and trajectories, gold ones of the training split are rolled out first. evaluate.tasks=100 lets the trained
model play held-out tasks. resume=<folder> goes on with a training from its last checkpoint.
Exit codes: 0 done, 1 a bug of ours or a rank that failed, 2 configuration, 3 more failed episodes than
stage.max_failures or evaluate.max_failures, 4 interrupted, 5 something a run needs is missing.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentbench.config.entry import TrainConfig


def run(config: TrainConfig, folder: Path) -> float | None:
    """Trains, and lets the result play held-out tasks where that is asked for; what a search maximises."""
    from agentbench.build.training_run import run_training

    return run_training(config, folder, app.say)


def after_sweep(jobs: Sequence[app.Job]) -> None:
    """Prints what came of each job in one table, draws it, and writes both beside them."""
    from agentbench.build.sweeps import sum_up_trainings

    sum_up_trainings(jobs, app.say)


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("train", __doc__, "TrainConfig", run, after_sweep)))
