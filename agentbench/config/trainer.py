"""How a machine goes about a training: memory, precision, checkpoints. None of it changes what is learnt on purpose."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from agentbench.config.schema import schema


class Precision(StrEnum):
    """Number format of the forward pass; weights keep `model.dtype`."""

    AUTO = "auto"
    """bfloat16 on a GPU that has it, else float32."""
    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


class Attention(StrEnum):
    """Who computes attention."""

    SDPA = "sdpa"
    EAGER = "eager"
    FLASH_ATTENTION_2 = "flash_attention_2"
    """Needs a GPU and the package flash-attn."""


class Optimizer(StrEnum):
    """Who follows the gradient; all are AdamW (Loshchilov & Hutter 2019)."""

    ADAMW = "adamw"
    """PyTorch's, its two moments in float32."""
    ADAMW_8BIT = "adamw_8bit"
    """Moments in blocks of 8 bits (Dettmers et al. 2022); needs bitsandbytes."""
    PAGED_ADAMW_8BIT = "paged_adamw_8bit"
    """The same, moved to the CPU's memory page by page where the GPU's runs out (Dettmers et al. 2023, section 3)."""


class BestBy(StrEnum):
    """Which checkpoint is the result, judged by the validation rows."""

    LAST = "last"
    LOSS = "loss"
    ACCURACY = "accuracy"
    """Share of pairs whose chosen side is rewarded more; preference stages only."""


class ModelExport(StrEnum):
    """What a training leaves behind."""

    TRAINED = "trained"
    """What was trained: the model, or the adapter alone."""
    MERGED = "merged"
    """With an adapter: also the whole model with the adapter in its weights."""


@schema
class TrainerConfig:
    """How the machine goes about it."""

    micro_batch: Annotated[int, Field(ge=1)] | None = None
    """Rows per forward pass and process; gradients are added up to `stage.batch_size`. Off: as many as there can be."""
    precision: Precision = Precision.AUTO
    optimizer: Optimizer = Optimizer.ADAMW
    attention: Attention = Attention.SDPA
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: about a fifth slower, far less memory."""
    liger: bool = False
    """Liger's kernels in the model's layers; needs a GPU and the package liger-kernel."""
    cpu: bool = False
    """Train on the CPU although there is a GPU."""
    checkpoint_every: Annotated[int, Field(ge=1)] | None = 100
    """Optimizer steps from one checkpoint, and one validation, to the next; of stages that play rollouts, and at most a
    fifth of them. Off: only validated at the end."""
    keep_checkpoints: Annotated[int, Field(ge=1)] = 2
    best_by: BestBy = BestBy.LOSS
    """Only with validation rows; without them the last one is the result."""
