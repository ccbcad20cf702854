"""Supervised fine-tuning of a model in memory with TRL's SFTTrainer, on rows that are already tokens.

This is how a tiny student is made. Given models, with adapters, checkpoints and ranks: see `finetune`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

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
from agentbench.training.data import IGNORED
from agentbench.training_data.rows import SftRow
from agentbench.types import record


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


class ScoredTokensTrainer(SFTTrainer):
    """TRL's SFTTrainer, its loss computed from the scored tokens alone; for one process and a bare causal LM.

    TRL projects every token of a row onto the vocabulary and then drops those outside the mask. In a small model, where
    the projection is most of the work and four tokens of five are prompt or observation, that is half the time.
    """

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Mean negative log-likelihood of the scored tokens: TRL's `nll` loss to rounding.

        Raises:
            NotImplementedError: the outputs are asked for; there are none of the usual shape.
        """
        if return_outputs:
            raise NotImplementedError("only the loss is computed")
        bare = cast(PreTrainedModel, model)
        projection = cast(torch.nn.Linear, bare.get_output_embeddings())
        hidden_BTD = bare.get_decoder()(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        ).last_hidden_state
        target_BT = inputs["labels"][:, 1:]
        scored_BT = target_BT != IGNORED
        logits_NV = projection(hidden_BTD[:, :-1][scored_BT])
        loss = torch.nn.functional.cross_entropy(logits_NV, target_BT[scored_BT], reduction="sum")
        count = scored_BT.sum() if num_items_in_batch is None else torch.as_tensor(num_items_in_batch)
        return loss / count.clamp(min=1)


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
    trainer_class: type[SFTTrainer] = SFTTrainer,
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
    trainer = trainer_class(
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
        logging_steps=min(10, steps),
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        bf16=cuda and torch.cuda.is_bf16_supported(),
        use_cpu=not cuda,
        gradient_checkpointing=False,
        dataloader_pin_memory=cuda,
        seed=seed,
        data_seed=seed,
    )
