"""TRL's training arguments from our configuration; what every stage has in common."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import torch
from transformers import TrainingArguments

from agentbench.config.launcher import DeepspeedZero2Launcher, DeepspeedZero3Launcher
from agentbench.config.trainer import BestBy, Optimizer, Precision
from agentbench.training.job import TRAINER, TrainJob
from agentbench.training.sharding import meet_without_gpu, sharding_arguments

A = TypeVar("A", bound=TrainingArguments)

LOGS = 50
"""Most log lines of a training, about."""

_OPTIMIZERS = {
    Optimizer.ADAMW: "adamw_torch_fused",
    Optimizer.ADAMW_8BIT: "adamw_bnb_8bit",
    Optimizer.PAGED_ADAMW_8BIT: "paged_adamw_8bit",
}
_METRIC = {BestBy.LOSS: "eval_loss", BestBy.ACCURACY: "eval_rewards/accuracies"}


def training_arguments(kind: type[A], job: TrainJob, *, rows: int, validated: bool, **own: Any) -> A:
    """The arguments of one stage's trainer; `own` are the stage's.

    They come before the model is loaded: DeepSpeed's ZeRO-3 spreads weights while they are read.
    """
    stage, trainer = job.config.stage, job.config.trainer
    steps = math.ceil(rows / stage.batch_size * stage.epochs)
    return kind(
        output_dir=str(job.folder / TRAINER),
        max_steps=steps,
        per_device_train_batch_size=job.micro_batch,
        per_device_eval_batch_size=job.micro_batch,
        gradient_accumulation_steps=stage.batch_size // (job.micro_batch * job.processes),
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=math.ceil(steps * stage.warmup_ratio),
        weight_decay=stage.weight_decay,
        optim=_OPTIMIZERS[trainer.optimizer],
        logging_steps=max(1, min(10, steps // LOGS)),
        logging_first_step=True,
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        bf16=uses_bfloat16(job),
        use_cpu=not on_gpu(job)
        and not isinstance(job.config.launcher, DeepspeedZero2Launcher | DeepspeedZero3Launcher),
        gradient_checkpointing=trainer.gradient_checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if trainer.gradient_checkpointing else None,
        use_liger_kernel=trainer.liger,
        dataloader_pin_memory=on_gpu(job),
        seed=job.config.seed,
        data_seed=job.config.seed,
        **_checkpoints(job, validated),
        **sharding_arguments(job.config.launcher),
        **({} if on_gpu(job) else meet_without_gpu(job.config.launcher)),
        **own,
    )


def on_gpu(job: TrainJob) -> bool:
    """Whether the training runs on a GPU."""
    return torch.cuda.is_available() and not job.config.trainer.cpu


def uses_bfloat16(job: TrainJob) -> bool:
    """Whether the forward pass is computed in bfloat16."""
    precision = job.config.trainer.precision
    if precision is Precision.AUTO:
        return on_gpu(job) and torch.cuda.is_bf16_supported()
    return precision is Precision.BFLOAT16


def _checkpoints(job: TrainJob, validated: bool) -> dict[str, Any]:
    trainer = job.config.trainer
    if trainer.checkpoint_every is None:
        return {"save_strategy": "no", "eval_strategy": "no"}
    saving = {
        "save_strategy": "steps",
        "save_steps": trainer.checkpoint_every,
        "save_total_limit": trainer.keep_checkpoints,
    }
    if not validated:
        return saving
    judging = {"eval_strategy": "steps", "eval_steps": trainer.checkpoint_every}
    if trainer.best_by is BestBy.LAST:
        return saving | judging
    best = {"load_best_model_at_end": True, "metric_for_best_model": _METRIC[trainer.best_by]}
    return saving | judging | best | {"greater_is_better": trainer.best_by is BestBy.ACCURACY}
