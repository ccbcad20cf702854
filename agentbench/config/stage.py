"""How a model is trained: what the loss is and how fast it is followed."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema
from agentbench.config.stage_rl import GrpoStage, PpoStage, RftStage, RlooStage


class DpoLoss(StrEnum):
    """The losses of TRL's DPOTrainer."""

    SIGMOID = "sigmoid"
    """DPO itself (Rafailov et al. 2023, eq. 7)."""
    HINGE = "hinge"
    IPO = "ipo"
    EXO_PAIR = "exo_pair"
    NCA_PAIR = "nca_pair"
    ROBUST = "robust"
    BCO_PAIR = "bco_pair"
    SPPO_HARD = "sppo_hard"
    AOT = "aot"
    AOT_UNPAIRED = "aot_unpaired"
    APO_ZERO = "apo_zero"
    APO_DOWN = "apo_down"
    DISCOPOP = "discopop"
    SFT = "sft"
    """Likelihood of the chosen side; useful among `added_losses`."""
    SIGMOID_NORM = "sigmoid_norm"


class KtoLoss(StrEnum):
    """The losses of TRL's KTOTrainer."""

    KTO = "kto"
    APO_ZERO_UNPAIRED = "apo_zero_unpaired"


class FDivergence(StrEnum):
    """What keeps the model near its reference."""

    REVERSE_KL = "reverse_kl"
    FORWARD_KL = "forward_kl"
    JS_DIVERGENCE = "js_divergence"
    ALPHA_DIVERGENCE = "alpha_divergence"


class RefModel(StrEnum):
    """Which model the log-probabilities are compared with."""

    BASE = "base"
    """The model without any adapter."""
    ADAPTER = "adapter"
    """The model with the adapter that is given, as it is before the first step."""
    PATH = "path"
    """Another model, `stage.ref_path`."""


@schema
class SftStage:
    """Supervised fine-tuning on trajectories; the loss covers the actor's tokens only."""

    kind: Literal["sft"] = "sft"
    epochs: Annotated[float, Field(gt=0)] = 2.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    """Peak, reached after the warm-up, then a cosine down to a tenth."""
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.05
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Trajectories per optimizer step."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    max_length: Annotated[int, Field(ge=16)] = 1024
    """Longer trajectories are left out, and counted, in tokens."""


@schema
class PreferenceKeys:
    """How fast preferences are followed: keys that all their stages have."""

    epochs: Annotated[float, Field(gt=0)] = 1.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 1e-5
    """Peak, reached after the warm-up, then a cosine down to a tenth."""
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.1
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Pairs per optimizer step. With stage=kto completions, of which each forward pass needs two or more."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_length: Annotated[int, Field(ge=16)] = 4096
    """Pairs of which a side with its prompt is longer, in tokens, are left out, and counted."""


@schema
class ReferenceKeys:
    """What the model is compared with: keys of the stages that have a reference."""

    beta: Annotated[float, Field(gt=0)] = 0.1
    """How strongly the model is held to its reference; tau of the loss ipo."""
    ref_model: RefModel | None = None
    """`base`: the model without adapters; `adapter`: with the given one, as it is before the first step; `path`:
    another model. Off: the model as training finds it, with its adapter if one is given."""
    ref_path: str | None = None
    """Folder or hub name of the reference, for `stage.ref_model=path`."""
    precompute_ref_log_probs: bool = False
    """Ask the reference once per row before training instead of at every step; it then leaves memory."""
    sync_ref_every: Annotated[int, Field(ge=1)] | None = None
    """Optimizer steps after which the reference moves towards the model (TR-DPO, Gorbatovski et al. 2024); with
    lora=none. Off: it stays."""
    sync_ref_share: Annotated[float, Field(gt=0, le=1)] = 0.6
    """How far it moves: 1 makes it the model."""


@schema
class DpoStage(PreferenceKeys, ReferenceKeys):
    """Preference pairs against a reference model: DPO and its relatives."""

    kind: Literal["dpo"] = "dpo"
    loss: DpoLoss = DpoLoss.SIGMOID
    added_losses: tuple[DpoLoss, ...] = ()
    """Further losses that are added to `stage.loss`."""
    added_weights: tuple[Annotated[float, Field(gt=0)], ...] = ()
    """Their weights, in that order; `stage.loss` itself weighs 1."""
    label_smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Probability that a pair is the wrong way round, for `robust`; epsilon of `exo_pair`, which needs one above 0."""
    discopop_tau: Annotated[float, Field(gt=0)] = 0.05
    ld_alpha: Annotated[float, Field(ge=0, le=1)] | None = None
    """Weight of the tokens beyond the shorter side's length (LD-DPO). Off: 1."""
    use_weighting: bool = False
    """Weight pairs by how likely the model itself is to write them (WPO)."""
    f_divergence: FDivergence = FDivergence.REVERSE_KL


@schema
class KtoStage(PreferenceKeys, ReferenceKeys):
    """Single completions, desirable or not, against a reference model; each side of a pair is one of them."""

    kind: Literal["kto"] = "kto"
    loss: KtoLoss = KtoLoss.KTO
    desirable_weight: Annotated[float, Field(gt=0)] = 1.0
    undesirable_weight: Annotated[float, Field(gt=0)] = 1.0


@schema
class OrpoStage(PreferenceKeys):
    """Preference pairs without a reference: likelihood of the chosen side and the odds ratio of both."""

    kind: Literal["orpo"] = "orpo"
    beta: Annotated[float, Field(gt=0)] = 0.1
    """Weight of the odds ratio; lambda of the paper (Hong et al. 2024, eq. 6)."""


PreferenceStage = DpoStage | KtoStage | OrpoStage
StageConfig = Annotated[
    SftStage | DpoStage | KtoStage | OrpoStage | GrpoStage | RlooStage | PpoStage | RftStage,
    Field(discriminator="kind"),
]
