"""The trainer of each online stage, its model loaded. One readable function each."""

from __future__ import annotations

from functools import partial
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback, TrainingArguments
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.rloo_config import RLOOConfig
from trl.trainer.sft_config import SFTConfig

from agentbench.config.stage_rl import GrpoStage, OnlineStage, PpoStage, RftStage, RlooStage
from agentbench.training.arguments import training_arguments
from agentbench.training.job import TrainJob
from agentbench.training.rl.playing import Online
from agentbench.training.rl.ppo import PpoTrainer
from agentbench.training.rl.rejection import OnlineRftTrainer, TreeOnlineRftTrainer
from agentbench.training.rl.trl_adapter import (
    OnlineGrpoTrainer,
    OnlineRlooTrainer,
    TreeOnlineGrpoTrainer,
    TreeOnlineRlooTrainer,
)
from agentbench.training.stages import say
from agentbench.training.treepack.forward import TreeOptions
from agentbench.training.weights import load_trainee

PACKED = TreeOptions(least_sharing=1.0)
"""Episodes differ in length, so packing pays by the padding that it saves even where rows share next to nothing."""


CHECKPOINTS = 5
"""Least number of checkpoints of a training: what was played since the last one is played again after a crash."""


def online_trainer(job: TrainJob, online: Online, callbacks: list[TrainerCallback]) -> Any:
    """The trainer of the job's stage.

    Raises:
        PreflightError: a model or an adapter cannot be loaded.
    """
    match job.config.stage:
        case GrpoStage() as stage:
            return grpo(job, stage, online, callbacks)
        case RlooStage() as stage:
            return rloo(job, stage, online, callbacks)
        case PpoStage() as stage:
            return ppo(job, stage, online, callbacks)
        case RftStage() as stage:
            return rft(job, stage, online, callbacks)
        case stage:
            raise TypeError(f"stage={stage.kind} plays no episodes")


def grpo(job: TrainJob, stage: GrpoStage, online: Online, callbacks: list[TrainerCallback]) -> Any:
    """TRL's GRPO losses."""
    arguments = training_arguments(
        GRPOConfig,
        job,
        **_common(stage),
        loss_type=stage.loss.value,
        importance_sampling_level=stage.ratio.value,
        scale_rewards=stage.scale.value,
        epsilon=stage.clip_low,
        epsilon_high=stage.clip_high,
        delta=stage.clip_delta,
        beta=stage.beta,
        entropy_coef=stage.entropy_bonus,
        top_entropy_quantile=stage.top_entropy_share,
    )
    chosen = TreeOnlineGrpoTrainer if job.config.tree else OnlineGrpoTrainer
    return chosen(args=_by_rollout(arguments, stage), **_parts(job, stage, online, callbacks))


def rloo(job: TrainJob, stage: RlooStage, online: Online, callbacks: list[TrainerCallback]) -> Any:
    """TRL's RLOO loss: one ratio and one advantage per row."""
    arguments = training_arguments(
        RLOOConfig,
        job,
        **_common(stage),
        epsilon=stage.clip_low,
        epsilon_high=stage.clip_high,
        beta=stage.beta,
        normalize_advantages=stage.normalize,
    )
    chosen = TreeOnlineRlooTrainer if job.config.tree else OnlineRlooTrainer
    return chosen(args=_by_rollout(arguments, stage), **_parts(job, stage, online, callbacks))


def ppo(job: TrainJob, stage: PpoStage, online: Online, callbacks: list[TrainerCallback]) -> Any:
    """Our own: TRL has none."""
    if job.config.tree:
        say(job, "tree packing off: stage=ppo reads values at states, and packing gives scored tokens alone")
    episodes = stage.steps * stage.tasks_per_step * stage.group_size
    arguments = training_arguments(TrainingArguments, job, rows=episodes, validated=False)
    trainee = load_trainee(job)
    return PpoTrainer(trainee, _by_rollout(arguments, stage), online=online, stage=stage, callbacks=callbacks)


def rft(job: TrainJob, stage: RftStage, online: Online, callbacks: list[TrainerCallback]) -> Any:
    """TRL's supervised loss on what succeeded."""
    episodes = stage.steps * stage.tasks_per_step * stage.group_size
    arguments = training_arguments(SFTConfig, job, rows=episodes, validated=False, max_length=None)
    parts = _parts(job, stage, online, callbacks)
    del parts["reward_funcs"]
    parts["train_dataset"] = Dataset.from_dict({"input_ids": [[0]], "labels": [[0]]})
    chosen = TreeOnlineRftTrainer if job.config.tree else OnlineRftTrainer
    return chosen(args=_by_rollout(arguments, stage), **parts)


def _common(stage: OnlineStage) -> dict[str, Any]:
    """What TRL's two online trainers are told alike. The longest completion is only a divisor of `loss=dr_grpo`."""
    return {
        "rows": stage.steps * stage.tasks_per_step * stage.group_size,
        "validated": False,
        "num_generations": stage.group_size,
        "generation_batch_size": stage.tasks_per_step * stage.group_size,
        "num_iterations": stage.epochs,
        "temperature": stage.temperature,
        "max_completion_length": stage.max_length,
    }


def _by_rollout(arguments: Any, stage: OnlineStage) -> Any:
    """Every step is logged, and checkpoints come between rollouts: what was played is not kept in them."""
    arguments.logging_steps = 1
    arguments.save_steps = min(int(arguments.save_steps), max(1, stage.steps // CHECKPOINTS))
    arguments.save_steps *= stage.epochs * stage.minibatches
    arguments.ignore_data_skip = True
    return arguments


def _parts(job: TrainJob, stage: OnlineStage, online: Online, callbacks: list[TrainerCallback]) -> dict[str, Any]:
    trainee = load_trainee(job)
    tree = {"tree": PACKED, "say": partial(say, job)} if job.config.tree else {}
    return {
        "model": trainee.model,
        "processing_class": trainee.tokenizer,
        "peft_config": trainee.new_adapter,
        "train_dataset": Dataset.from_dict({"prompt": [""] * stage.tasks_per_step}),
        "reward_funcs": _unused,
        "online": online,
        "stage": stage,
        "callbacks": callbacks,
        **tree,
    }


def _unused(**_: Any) -> list[float]:
    """TRL wants a reward function; ours come with the episodes."""
    return []
