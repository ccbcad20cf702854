"""Trains a model on trajectories.

  python -m agentbench.train
  python -m agentbench.train trajectories=[outputs/rollout/2026-01-31_12-00-00/trajectories.jsonl]
  python -m agentbench.train -m stage.learning_rate=1e-3,2e-3 seed=0,1

Without trajectories, gold ones of the training split are rolled out first.
Exit codes: 0 done, 1 a bug of ours, 2 configuration, 4 interrupted, 5 something a run needs is missing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from agentbench import app

if TYPE_CHECKING:
    from agentbench.config.entry import TrainConfig


def run(config: TrainConfig, folder: Path) -> None:
    """Trains the configured model and writes it to the folder."""
    from agentbench.build import runs, training
    from agentbench.episodes.pool import run_async
    from agentbench.episodes.store import TRAJECTORIES, read_trajectories

    published = training.published_student(config, app.say)
    if published is not None and published.is_dir():
        app.say(f"the student of these settings is there already: {published}")
        return
    paths = config.trajectories
    if not paths:
        app.say("no trajectories given: rolling out gold ones on the training split")
        run_async(runs.gold_rollout(config, app.say).play(folder / "gold"))
        paths = (folder / "gold" / TRAJECTORIES,)
    trajectories = [trajectory for path in paths for trajectory in read_trajectories(path)]
    trained = training.train(config, trajectories, folder / "model")
    (folder / "metrics.json").write_bytes(orjson.dumps(trained, option=orjson.OPT_INDENT_2))
    app.say(
        f"{trained.parameters:,} parameters learnt from {trained.rows} trajectories; {trained.trained_share:.0%} of"
        f" their tokens, the actor's own, carry the loss; it ended at {trained.result.loss:.3f} nats per token"
    )
    model = training.publish(folder / "model", published) if published else folder / "model"
    app.say(f"model: {os.path.relpath(model)}")


if __name__ == "__main__":
    sys.exit(app.main(app.Entry("train", __doc__, "TrainConfig", run)))
