"""Which weights are trained: all of them, or a low-rank adapter beside them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema

ALL_LINEAR = ("all-linear",)
"""Every linear layer but the output projection, as PEFT understands it."""


@schema
class NoLora:
    """Full fine-tuning; an adapter that is given is merged into the weights first."""

    kind: Literal["none"] = "none"


@schema
class AdapterKeys:
    """Shape and size of an adapter: keys that all kinds of them have."""

    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    """The update is scaled by alpha / rank; with `rslora` by alpha / √rank."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Ignored by the preference losses, which need the same network for model and reference."""
    targets: tuple[str, ...] = ALL_LINEAR
    """Ends of the names of the layers that get one: [q_proj,v_proj]."""
    rslora: bool = False
    """Rank-stabilised scaling (Kalajdzievski 2023)."""
    dora: bool = False
    """Train the magnitude of every weight column too (Liu et al. 2024)."""
    create_new_adapter: bool = False
    """With `model.adapter`: train a new adapter on top of it; the result holds both. Off: go on with the given one,
    whose rank, alpha and targets it keeps. Without `model.adapter` an adapter is always new. Not with lora=qlora and
    `model.adapter`: 4-bit weights cannot take an adapter in without loss."""


@schema
class Lora(AdapterKeys):
    """A LoRA adapter (Hu et al. 2021); biases are not trained."""

    kind: Literal["lora"] = "lora"


@schema
class Qlora(AdapterKeys):
    """A LoRA adapter over weights in 4 bits (NF4, double quantisation; Dettmers et al. 2023); needs bitsandbytes."""

    kind: Literal["qlora"] = "qlora"


LoraConfig = Annotated[NoLora | Lora | Qlora, Field(discriminator="kind")]
