"""One training that plays its own episodes: load, play and follow in turns, or go on from a checkpoint, write."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence
from typing import Any

from transformers import PrinterCallback, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.utils.logging import disable_progress_bar

from agentbench.config.rewards import RewardsConfig
from agentbench.config.stage_rl import OnlineStage
from agentbench.errors import ConfigError
from agentbench.training.finetune import (
    Watching,
    check_ranks,
    finish,
    last_checkpoint,
    refused_writes,
    sizes,
    write_weights,
)
from agentbench.training.job import TRAINER, Trained, TrainJob
from agentbench.training.progress import Report
from agentbench.training.rl.playing import Online
from agentbench.training.rl.ranks import ALONE, Ranks
from agentbench.training.rl.rollouts import Rollouts
from agentbench.training.rl.stages import online_trainer
from agentbench.training_data.returns import RewardWeights
from agentbench.types import StepCategory

HELD_OUT = "held_out_success"


def train_online(job: TrainJob, rollouts: Rollouts, report: Report, ranks: Ranks = ALONE) -> Trained:
    """Trains, from the last checkpoint if there is one, and writes the result into the job's folder.

    Every rank runs this. A training that goes on plays the tasks of the steps that are left, with the seeds that they
    would have had.

    Raises:
        ConfigError: the stage plays no episodes.
        PreflightError: a model cannot be loaded, or weights cannot be written.
        RunFailed: more episodes failed than may; the last checkpoint is kept.
        Interrupted: SIGINT or SIGTERM while episodes are played; the last checkpoint is kept.
    """
    disable_progress_bar()
    stage = job.config.stage
    if not isinstance(stage, OnlineStage):
        raise ConfigError([f"stage: {stage.kind} plays no episodes"])
    checkpoint = last_checkpoint(job.folder / TRAINER)
    online = Online(rollouts, reward_weights(job.config.rewards, stage), ranks)
    lines = RolloutLines(stage)
    trainer = online_trainer(job, online, [Watching(report, job, checkpoint), lines])
    trainer.remove_callback(PrinterCallback)
    check_ranks(job, trainer)
    with refused_writes(job):
        started = time.monotonic()
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        trained = _trained(job, trainer, time.monotonic() - started)
        write_weights(job, trainer)
        if trainer.is_world_process_zero():
            finish(job, trained)
    return trained


def reward_weights(rewards: RewardsConfig, stage: OnlineStage) -> RewardWeights:
    """What the record of an episode is worth, as configured."""
    numbers = dataclasses.asdict(rewards)
    categories = {category: numbers[category.value] for category in StepCategory}
    return RewardWeights(categories, stage.step_reward, stage.success_reward, rewards.unanswered)


class RolloutLines(TrainerCallback):
    """Prints a line for every rollout: what it earned, what was left out, how long it took."""

    def __init__(self, stage: OnlineStage) -> None:
        self._stage = stage

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Lines of further optimizer steps on the same rollout are left to `metrics.jsonl`."""
        if not logs or "reward" not in logs or not state.is_world_process_zero:
            return
        held_out = f"held-out success {logs[HELD_OUT]:.1%}; " if HELD_OUT in logs else ""
        number = (state.global_step - 1) // (self._stage.epochs * self._stage.minibatches) + 1
        lost = f", {logs['errors']:.0f} errors" if logs["errors"] else ""
        print(
            f"rollout {number} of {self._stage.steps}: {held_out}reward {_shown(logs['reward'])}"
            f" ± {_shown(logs['reward_std'])}, success {_shown(logs['success'])}, {logs['steps']:.1f} steps{lost},"
            f" {logs['dead_groups']:.0%} of groups dead; rollout {logs['rollout_seconds']:.1f} s,"
            f" training {logs['train_seconds']:.1f} s",
            flush=True,
        )


def _shown(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.3f}"


def _trained(job: TrainJob, trainer: Any, seconds: float) -> Trained:
    """Sums are taken over all of the training's log, which a checkpoint keeps."""
    log: Sequence[dict[str, Any]] = trainer.state.log_history
    losses = [entry["loss"] for entry in log if "loss" in entry]
    tail = losses[-max(1, len(losses) // 10) :]
    counted = sizes(trainer.model)
    tokens = max(1.0, _sum(log, "tokens"))
    held_out = [entry[HELD_OUT] for entry in log if HELD_OUT in entry]
    return Trained(
        stage=job.config.stage.kind,
        rows=int(_sum(log, "rows")),
        left_out=int(_sum(log, "errors") + _sum(log, "left_out_too_long")),
        own_share=_sum(log, "sampled_tokens") / tokens,
        stock_share=_sum(log, "completion_tokens") / tokens,
        parameters=counted.all,
        trained_parameters=counted.trained,
        steps=trainer.state.global_step,
        first_loss=losses[0],
        loss=sum(tail) / len(tail),
        validation={"success": held_out[-1]} if held_out else {},
        seconds=round(seconds, 3),
    )


def _sum(log: Sequence[dict[str, Any]], name: str) -> float:
    return sum(entry.get(name) or 0.0 for entry in log)
