"""TRL's trainer for each stage, made of a job, its tables and the model. One readable function each.

This is the one place where a trainer's class is chosen: TRL's, or TRL's with the tokens that rows share computed once
(`tree=true`), which falls back to the former by itself, and says why.
"""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from datasets import Dataset
from transformers import TrainerCallback
from trl.trainer.base_trainer import _BaseTrainer as TrlTrainer
from trl.trainer.dpo_config import DPOConfig
from trl.trainer.kto_config import KTOConfig
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from agentbench.config.stage import DpoStage, KtoStage, OrpoStage, SftStage
from agentbench.training.arguments import training_arguments
from agentbench.training.collate import MaskedOddsRatio, MaskedPreferences, MaskedUnpaired
from agentbench.training.job import PACKING_LOG, TrainJob
from agentbench.training.odds_ratio import ExactOrpoTrainer, ORPOConfig
from agentbench.training.trainers import (
    ExactDpoTrainer,
    ExactKtoTrainer,
    TreeExactDpoTrainer,
    TreeExactKtoTrainer,
)
from agentbench.training.treepack.forward import TreeOptions
from agentbench.training.treepack.trainers import TreeSFTTrainer
from agentbench.training.weights import Trainee, load_reference, load_trainee


def stage_trainer(job: TrainJob, rows: Dataset, validation: Dataset | None, callbacks: list[TrainerCallback]) -> Any:
    """The trainer of the job's stage, its model loaded.

    Raises:
        PreflightError: a model or an adapter cannot be loaded.
    """
    common: dict[str, Any] = {"train_dataset": rows, "eval_dataset": validation, "callbacks": callbacks}
    match job.config.stage:
        case SftStage():
            return sft(job, common)
        case DpoStage() as stage:
            return dpo(job, stage, common)
        case KtoStage() as stage:
            return kto(job, stage, common)
        case OrpoStage() as stage:
            return orpo(job, stage, common)


def sft(job: TrainJob, common: dict[str, Any]) -> TrlTrainer:
    """Mean negative log-likelihood per labelled token of a batch; where nothing is packed, of rows of like length."""
    arguments = training_arguments(
        SFTConfig, job, **_sizes(common), max_length=None, train_sampling_strategy="group_by_length"
    )
    chosen = TreeSFTTrainer if job.config.tree else SFTTrainer
    return chosen(args=arguments, **_parts(load_trainee(job)), **common, **_tree(job))


def dpo(job: TrainJob, stage: DpoStage, common: dict[str, Any]) -> TrlTrainer:
    """TRL's preference losses, several of them together where the stage says so."""
    arguments = training_arguments(
        DPOConfig,
        job,
        **_sizes(common),
        max_length=None,
        loss_type=[loss.value for loss in (stage.loss, *stage.added_losses)],
        loss_weights=[1.0, *stage.added_weights],
        beta=stage.beta,
        label_smoothing=stage.label_smoothing,
        discopop_tau=stage.discopop_tau,
        ld_alpha=stage.ld_alpha,
        use_weighting=stage.use_weighting,
        f_divergence_type=stage.f_divergence.value,
        precompute_ref_log_probs=stage.precompute_ref_log_probs,
        **_moving_reference(stage),
    )
    trainee = load_trainee(job)
    chosen = TreeExactDpoTrainer if job.config.tree else ExactDpoTrainer
    return chosen(
        args=arguments,
        ref_model=load_reference(job),
        data_collator=MaskedPreferences(_pad(trainee)),
        **_parts(trainee),
        **common,
        **_tree(job),
    )


def kto(job: TrainJob, stage: KtoStage, common: dict[str, Any]) -> TrlTrainer:
    """Kahneman-Tversky optimisation of single completions; rows keep their order, see `data`."""
    arguments = training_arguments(
        KTOConfig,
        job,
        **_sizes(common),
        max_length=None,
        loss_type=stage.loss.value,
        beta=stage.beta,
        desirable_weight=stage.desirable_weight,
        undesirable_weight=stage.undesirable_weight,
        precompute_ref_log_probs=stage.precompute_ref_log_probs,
        train_sampling_strategy="sequential",
        **_moving_reference(stage),
    )
    trainee = load_trainee(job)
    chosen = TreeExactKtoTrainer if job.config.tree else ExactKtoTrainer
    return chosen(
        args=arguments,
        ref_model=load_reference(job),
        data_collator=MaskedUnpaired(_pad(trainee)),
        **_parts(trainee),
        **common,
        **_tree(job),
    )


def orpo(job: TrainJob, stage: OrpoStage, common: dict[str, Any]) -> TrlTrainer:
    """Likelihood of the chosen side and the odds ratio of both sides, without a reference."""
    if job.config.tree:
        say(job, "tree packing off: TRL's ORPO does not get its log-probabilities by the fused head")
    arguments = training_arguments(ORPOConfig, job, **_sizes(common), max_length=stage.max_length, beta=stage.beta)
    trainee = load_trainee(job)
    parts = {**_parts(trainee), **common}
    trainer = ExactOrpoTrainer(args=arguments, data_collator=MaskedOddsRatio(_pad(trainee)), **parts)
    trainer.use_dpo_data_collator = True  # ours gives what TRL's own gives; it would warn
    return trainer


def _moving_reference(stage: DpoStage | KtoStage) -> dict[str, Any]:
    if stage.sync_ref_every is None:
        return {}
    return {
        "sync_ref_model": True,
        "ref_model_sync_steps": stage.sync_ref_every,
        "ref_model_mixup_alpha": stage.sync_ref_share,
    }


def _tree(job: TrainJob) -> dict[str, Any]:
    return {"tree": TreeOptions(), "say": partial(say, job)} if job.config.tree else {}


def say(job: TrainJob, line: str) -> None:
    """Prints a line, and keeps it in the run's folder; on the first rank alone."""
    if os.environ.get("RANK", "0") == "0":
        print(line, flush=True)
        with (job.folder / PACKING_LOG).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def _sizes(common: dict[str, Any]) -> dict[str, Any]:
    return {"rows": len(common["train_dataset"]), "validated": common["eval_dataset"] is not None}


def _parts(trainee: Trainee) -> dict[str, Any]:
    return {"model": trainee.model, "processing_class": trainee.tokenizer, "peft_config": trainee.new_adapter}


def _pad(trainee: Trainee) -> int:
    """Any id will do where no mask looks."""
    pad = trainee.tokenizer.pad_token_id
    return pad if isinstance(pad, int) else 0
