"""On how many processes a model is trained, and what they share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


@schema
class SingleLauncher:
    """This process."""

    kind: Literal["single"] = "single"


@schema
class AccelerateLauncher:
    """Data parallel: each process has the whole model and its part of every batch. NCCL on GPUs, gloo on a CPU."""

    kind: Literal["accelerate"] = "accelerate"
    processes: Annotated[int, Field(ge=1)] = 2
    """On this machine; on GPUs at most one per GPU."""


@schema
class DeepspeedZero2Launcher:
    """DeepSpeed ZeRO stage 2: optimizer states and gradients are spread over the processes."""

    kind: Literal["deepspeed_zero2"] = "deepspeed_zero2"
    processes: Annotated[int, Field(ge=1)] = 2
    """On this machine; on GPUs at most one per GPU."""
    offload_optimizer: bool = False
    """Keep optimizer states in CPU memory."""


@schema
class DeepspeedZero3Launcher:
    """DeepSpeed ZeRO stage 3: weights are spread over the processes as well."""

    kind: Literal["deepspeed_zero3"] = "deepspeed_zero3"
    processes: Annotated[int, Field(ge=1)] = 2
    """On this machine; on GPUs at most one per GPU."""
    offload_optimizer: bool = False
    """Keep optimizer states in CPU memory."""
    offload_weights: bool = False
    """Keep weights in CPU memory until a layer needs them."""


@schema
class FsdpLauncher:
    """PyTorch's fully sharded data parallel, version 2: weights, gradients and optimizer states are spread."""

    kind: Literal["fsdp"] = "fsdp"
    processes: Annotated[int, Field(ge=1)] = 2
    """On this machine; on GPUs at most one per GPU."""
    offload_weights: bool = False
    """Keep weights in CPU memory until a layer needs them."""


RanksLauncher = AccelerateLauncher | DeepspeedZero2Launcher | DeepspeedZero3Launcher | FsdpLauncher
DeepspeedLauncher = DeepspeedZero2Launcher | DeepspeedZero3Launcher
LauncherConfig = Annotated[
    SingleLauncher | AccelerateLauncher | DeepspeedZero2Launcher | DeepspeedZero3Launcher | FsdpLauncher,
    Field(discriminator="kind"),
]
