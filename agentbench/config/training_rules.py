"""Rules between the parts of a training's configuration; each gives the broken rule as a line, or an empty string."""

from __future__ import annotations

from pathlib import Path

from agentbench.config.iteration import IterationConfig
from agentbench.config.launcher import DeepspeedZero3Launcher, FsdpLauncher, LauncherConfig, SingleLauncher
from agentbench.config.lora import LoraConfig, NoLora, Qlora
from agentbench.config.model import HfModel, ModelConfig, OpenAIModel, TinyModel
from agentbench.config.stage import (
    DpoLoss,
    DpoStage,
    FDivergence,
    KtoLoss,
    KtoStage,
    OrpoStage,
    RefModel,
    SftStage,
    StageConfig,
)
from agentbench.config.stage_rl import OnlineStage
from agentbench.config.trainer import BestBy, TrainerConfig

_OF_REWARD_DIFFERENCES = {
    *(DpoLoss.SIGMOID, DpoLoss.SIGMOID_NORM, DpoLoss.HINGE, DpoLoss.IPO, DpoLoss.EXO_PAIR, DpoLoss.ROBUST),
    *(DpoLoss.DISCOPOP, DpoLoss.SFT),
}
"""Losses in which the partition function of another divergence than reverse KL cancels; those of TRL 1.16."""


def stage_can_train(_stage: StageConfig, model: ModelConfig) -> str:
    """Only weights that are here can be trained."""
    if isinstance(model, OpenAIModel):
        return "model: a model behind a server cannot be trained here; choose model=tiny or model=hf"
    if isinstance(model, HfModel) and model.quantization is not None:
        return "model.quantization: is for answering; an adapter over 4-bit weights is trained with lora=qlora"
    return ""


def stage_has_rows(
    stage: StageConfig,
    rows: tuple[Path, ...],
    trajectories: tuple[Path, ...],
    iteration: IterationConfig | None = None,
) -> str:
    """Preferences come from rows; supervised examples from rows or trajectories; rounds make their own."""
    if iteration is not None:
        return ""  # see `iteration_rules`
    if rows and trajectories:
        return "trajectories: there are rows already; give one of the two"
    if not isinstance(stage, SftStage | OnlineStage) and not rows:
        return f"rows: required with stage={stage.kind}: files of preferences, from agentbench.build_prefs"
    return ""


def validation_has_rows(rows: tuple[Path, ...], validation_rows: tuple[Path, ...]) -> str:
    """Validation rows stand beside rows, and are others."""
    if validation_rows and not rows:
        return "validation_rows: only beside rows"
    twice = [path for path in validation_rows if path in rows]
    return f"validation_rows: {twice[0]} is trained on as well" if twice else ""


def tiny_is_trained_alone(
    model: ModelConfig, rows: tuple[Path, ...], lora: LoraConfig, launcher: LauncherConfig, stage: StageConfig
) -> str:
    """A student made from nothing has neither an adapter nor ranks; stages that play go on with one that is there."""
    if not isinstance(model, TinyModel) or model.path is not None or rows or isinstance(stage, OnlineStage):
        return ""
    if not isinstance(lora, NoLora):
        return "lora: a tiny student that is trained from nothing has no weights to adapt; give rows, or model.path"
    if not isinstance(launcher, SingleLauncher):
        return "launcher: a tiny student that is trained from nothing needs launcher=single; give rows, or model.path"
    return ""


def stage_fits_itself(stage: StageConfig) -> str:
    """The keys of a stage that go together."""
    if isinstance(stage, DpoStage | KtoStage) and (stage.ref_model is RefModel.PATH) != (stage.ref_path is not None):
        return "stage.ref_path: goes together with stage.ref_model=path"
    return _dpo_fits_itself(stage) if isinstance(stage, DpoStage) else ""


def _dpo_fits_itself(stage: DpoStage) -> str:
    losses = (stage.loss, *stage.added_losses)
    if len(stage.added_losses) != len(stage.added_weights):
        return "stage.added_weights: needs one weight for each of stage.added_losses"
    if DpoLoss.EXO_PAIR in losses and stage.label_smoothing == 0:
        return "stage.label_smoothing: must be above 0 with the loss exo_pair; its paper takes 1e-3"
    sorting = {DpoLoss.AOT, DpoLoss.AOT_UNPAIRED}.intersection(losses)
    if stage.use_weighting and sorting:
        return f"stage.use_weighting: not with the loss {min(sorting)}, which sorts its rows and loses their weights"
    if stage.use_weighting and DpoLoss.SFT in losses:
        return "stage.use_weighting: not with the loss sft, which has no weight per pair"
    if stage.use_weighting and DpoLoss.HINGE in losses:
        return "stage.use_weighting: not with the loss hinge, whose weighted gradient TRL does not compute"
    unfit = [loss for loss in losses if loss not in _OF_REWARD_DIFFERENCES]
    if stage.f_divergence is not FDivergence.REVERSE_KL and unfit:
        return f"stage.f_divergence: the loss {unfit[0]} is only defined for reverse_kl"
    return ""


def adapter_fits(stage: StageConfig, model: ModelConfig, lora: LoraConfig) -> str:
    """What can be done with an adapter that is given."""
    adapter = model.adapter if isinstance(model, HfModel) else None
    if isinstance(stage, DpoStage | KtoStage) and stage.ref_model is RefModel.ADAPTER and adapter is None:
        return "stage.ref_model: adapter is the adapter of the model, and model.adapter is not given"
    if isinstance(lora, NoLora) or not lora.create_new_adapter or adapter is None:
        return ""
    if isinstance(lora, Qlora):
        return "lora.create_new_adapter: weights in 4 bits cannot take model.adapter in without loss; choose lora=lora"
    if lora.dora:
        return "lora.dora: a new adapter on top of model.adapter becomes one with it, which DoRA's cannot; leave it off"
    return ""


def reference_can_move(
    stage: StageConfig,
    lora: LoraConfig,
    launcher: LauncherConfig,
    trainer: TrainerConfig,
    validation_rows: tuple[Path, ...],
) -> str:
    """A reference that moves towards the model is a model of its own, and whole; nothing measured by it compares."""
    if not isinstance(stage, DpoStage | KtoStage) or stage.sync_ref_every is None:
        return ""
    if not isinstance(lora, NoLora):
        return "stage.sync_ref_every: only with lora=none; an adapter's reference is the model without it"
    if stage.precompute_ref_log_probs:
        return "stage.sync_ref_every: not with stage.precompute_ref_log_probs, which asks the reference only once"
    if isinstance(launcher, DeepspeedZero3Launcher | FsdpLauncher):
        return f"stage.sync_ref_every: not with launcher={launcher.kind}, which leaves no process a whole reference"
    if validation_rows and trainer.best_by is not BestBy.LAST:
        return "trainer.best_by: stage.sync_ref_every moves what checkpoints are measured against; choose last"
    return ""


def ranks_can_train(lora: LoraConfig, launcher: LauncherConfig) -> str:
    """What several processes can share."""
    if isinstance(lora, Qlora) and isinstance(launcher, DeepspeedZero3Launcher | FsdpLauncher):
        return f"lora: weights in 4 bits are not spread over processes; choose lora=lora with launcher={launcher.kind}"
    return ""


def batches_divide(stage: StageConfig, launcher: LauncherConfig, trainer: TrainerConfig) -> str:
    """Every process gets the same number of rows."""
    if isinstance(stage, OnlineStage):
        return ""  # counted in episodes: see `rl_rules`
    processes = 1 if isinstance(launcher, SingleLauncher) else launcher.processes
    micro = trainer.micro_batch or max(1, stage.batch_size // processes)
    if stage.batch_size % (processes * micro):
        made = f"{processes} processes × {micro} rows" if trainer.micro_batch else f"{processes} processes"
        return f"stage.batch_size: {stage.batch_size} cannot be divided among {made}"
    if isinstance(stage, KtoStage) and stage.loss is KtoLoss.KTO and micro < 2:
        return "stage.batch_size: the KTO loss needs two or more completions per forward pass and process"
    return ""


def best_can_be_told(stage: StageConfig, trainer: TrainerConfig) -> str:
    """Accuracy is defined for pairs."""
    if trainer.best_by is BestBy.ACCURACY and not isinstance(stage, DpoStage | OrpoStage):
        return f"trainer.best_by: stage={stage.kind} has no pairs, and so no accuracy; choose loss or last"
    return ""
