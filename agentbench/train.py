"""Trains a model on trajectories, or on rows made of them: sft, dpo and its relatives, kto, orpo.

  python -m agentbench.train
  python -m agentbench.train stage=dpo lora=lora rows=[outputs/build_prefs/2026-01-31_12-00-00/rows.jsonl]
  python -m agentbench.train sweep=dpo_beta model=hf model.path=… rows=[…] validation_rows=[…] launcher=accelerate

Without rows and trajectories, gold ones of the training split are rolled out first. resume=<folder> goes on with a
training from its last checkpoint.
Exit codes: 0 done, 1 a bug of ours or a rank that failed, 2 configuration, 4 interrupted, 5 something a run needs is
missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agentbench import app

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentbench.config.entry import TrainConfig
    from agentbench.types import Trajectory


def run(config: TrainConfig, folder: Path) -> None:
    """Trains the configured model and writes it to the folder."""
    from agentbench.build import training

    if training.is_from_nothing(config):
        _make_student(config, folder)
        return
    trained = training.train_given(config, [] if config.rows else _trajectories(config, folder), folder, app.say)
    judged = ", ".join(f"validation {name} {value:.4f}" for name, value in trained.validation.items())
    app.say(
        f"{trained.trained_parameters:,} of {trained.parameters:,} parameters trained in {trained.steps} steps;"
        f" loss {trained.first_loss:.4f} → {trained.loss:.4f}{f'; {judged}' if judged else ''}"
    )
    made = [name for name in ("adapter", "model") if (folder / name).is_dir()]
    app.say("\n".join(f"{name}: {os.path.relpath(folder / name)}" for name in made))


def _make_student(config: TrainConfig, folder: Path) -> None:
    from agentbench.build import training

    published = training.published_student(config, app.say)
    if published is not None and published.is_dir():
        app.say(f"the student of these settings is there already: {published}")
        return
    student = training.train_student(config, _trajectories(config, folder), folder / "model")
    (folder / "metrics.json").write_bytes(orjson.dumps(student, option=orjson.OPT_INDENT_2))
    app.say(
        f"{student.parameters:,} parameters learnt from {student.rows} trajectories; {student.trained_share:.0%} of"
        f" their tokens, the actor's own, carry the loss; it ended at {student.result.loss:.3f} nats per token"
    )
    model = training.publish(folder / "model", published) if published else folder / "model"
    app.say(f"model: {os.path.relpath(model)}")


def _trajectories(config: TrainConfig, folder: Path) -> list[Trajectory]:
    """The given ones; without any, gold ones that are rolled out into the folder."""
    from agentbench.build import runs
    from agentbench.episodes.pool import run_async
    from agentbench.episodes.store import TRAJECTORIES, read_trajectories

    paths = config.trajectories
    if not paths:
        app.say("no trajectories given: rolling out gold ones on the training split")
        run_async(runs.gold_rollout(config, app.say).play(folder / "gold"))
        paths = (folder / "gold" / TRAJECTORIES,)
    return [trajectory for path in paths for trajectory in read_trajectories(path)]


def after_sweep(jobs: Sequence[app.Job]) -> None:
    """Prints what came of each job in one table, and writes it beside them."""
    from agentbench.training.sweep_table import sum_up, sweep_table

    app.show(sweep_table(sum_up(jobs)))


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("train", __doc__, "TrainConfig", run, after_sweep)))
