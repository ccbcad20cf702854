"""Supervised fine-tuning with TRL's SFTTrainer on rows that are already tokens."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from datasets import Dataset
from transformers import (
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.config.stage import SftStage
from agentbench.training_data.sft import SftRow
from agentbench.types import record

IGNORED = -100
"""Label of tokens outside the loss, as in PyTorch's cross entropy."""


@record
class SftResult:
    """What training cost and where the loss ended."""

    loss: float
    """Mean negative log-likelihood per trained token over the last tenth of the steps, in nats."""
    steps: int
    trained_tokens: int
    """Tokens that carry the loss, in one pass over the rows."""


class Trainee(NamedTuple):
    """What is trained."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


class _Progress(TrainerCallback):
    """Reports every optimizer step."""

    def __init__(self, report: Callable[[int, int, float], None]) -> None:
        self._report = report

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """Passes on step, last step and loss."""
        if logs and "loss" in logs:
            self._report(state.global_step, state.max_steps, float(logs["loss"]))


def train_sft(
    trainee: Trainee,
    rows: Sequence[SftRow],
    stage: SftStage,
    seed: int,
    *,
    folder: Path,
    report: Callable[[int, int, float], None],
) -> SftResult:
    """Trains the model in place; `report(step, last step, loss)` is called every few steps.

    The loss is TRL's own: mean over the tokens of a batch whose mask is 1. Rows of similar length share a batch.
    """
    data = Dataset.from_list(
        [
            {
                "input_ids": list(row.input_ids),
                "labels": [
                    token if kept else IGNORED for token, kept in zip(row.input_ids, row.completion_mask, strict=True)
                ],
            }
            for row in rows
        ]
    )
    trainer = SFTTrainer(
        model=trainee.model,
        args=_arguments(stage, seed, folder, steps=math.ceil(len(rows) / stage.batch_size * stage.epochs)),
        train_dataset=data,
        processing_class=trainee.tokenizer,
        callbacks=[_Progress(report)],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    tail = losses[-max(1, len(losses) // 10) :]
    trained = sum(sum(row.completion_mask) for row in rows)
    return SftResult(sum(tail) / len(tail), trainer.state.global_step, trained)


def _arguments(stage: SftStage, seed: int, folder: Path, *, steps: int) -> SFTConfig:
    cuda = torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=stage.batch_size,
        learning_rate=stage.learning_rate,
        lr_scheduler_type="cosine_with_min_lr",
        lr_scheduler_kwargs={"min_lr_rate": 0.1},
        warmup_steps=math.ceil(steps * stage.warmup_ratio),
        weight_decay=stage.weight_decay,
        max_length=None,
        train_sampling_strategy="group_by_length",
        logging_steps=10,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        bf16=cuda,
        use_cpu=not cuda,
        gradient_checkpointing=False,
        dataloader_pin_memory=cuda,
        seed=seed,
        data_seed=seed,
    )
