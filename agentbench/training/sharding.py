"""What DeepSpeed and FSDP are told; all of it follows from the launcher, and nothing is given twice.

Values that transformers knows from the training arguments (batch, precision, clipping, steps) are `auto`.
"""

from __future__ import annotations

import os
from typing import Any

from accelerate import Accelerator, FullyShardedDataParallelPlugin, PartialState
from accelerate.utils import DistributedType

from agentbench.config.launcher import (
    DeepspeedZero2Launcher,
    DeepspeedZero3Launcher,
    FsdpLauncher,
    LauncherConfig,
)

AUTO = "auto"


def sharding_arguments(launcher: LauncherConfig) -> dict[str, Any]:
    """The keys of transformers' training arguments that make ranks share a model; none for plain data parallel."""
    match launcher:
        case DeepspeedZero2Launcher() | DeepspeedZero3Launcher():
            return {"deepspeed": deepspeed_settings(launcher)}
        case FsdpLauncher(offload_weights=offload):
            return {"fsdp": True, "fsdp_config": {"version": 2, "cpu_offload": offload}}
        case _:
            return {}


def meet_without_gpu(launcher: LauncherConfig) -> dict[str, Any]:
    """Lets ranks that share a model meet on a machine without GPUs; gives the training arguments that go with it.

    Left alone, accelerate 1.15 finds no backend for DeepSpeed there, and each rank trains by itself; and it makes plain
    data parallel of FSDP, although PyTorch's FSDP 2 runs over gloo.
    """
    match launcher:
        case DeepspeedZero2Launcher() | DeepspeedZero3Launcher():
            os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
            PartialState(backend="gloo")
        case FsdpLauncher():
            state = Accelerator(cpu=True).state
            state.fsdp_plugin = _fsdp_plugin(launcher)
            state.distributed_type = PartialState().distributed_type = DistributedType.FSDP
        case _:
            return {}
    return {"accelerator_config": {"use_configured_state": True}}


def _fsdp_plugin(launcher: FsdpLauncher) -> FullyShardedDataParallelPlugin:
    """What transformers makes of `sharding_arguments`."""
    return FullyShardedDataParallelPlugin(
        fsdp_version=2,
        cpu_offload=launcher.offload_weights,
        auto_wrap_policy="transformer_based_wrap",
        reshard_after_forward=True,
        state_dict_type="FULL_STATE_DICT",
    )


def deepspeed_settings(launcher: DeepspeedZero2Launcher | DeepspeedZero3Launcher) -> dict[str, Any]:
    """DeepSpeed's JSON."""
    return {
        "zero_optimization": _zero(launcher),
        "bf16": {"enabled": AUTO},
        "train_batch_size": AUTO,
        "train_micro_batch_size_per_gpu": AUTO,
        "gradient_accumulation_steps": AUTO,
        "gradient_clipping": AUTO,
        "zero_allow_untested_optimizer": True,
    }


def _zero(launcher: DeepspeedZero2Launcher | DeepspeedZero3Launcher) -> dict[str, Any]:
    common = {"overlap_comm": False, "contiguous_gradients": True}
    optimizer = {"offload_optimizer": {"device": "cpu"}} if launcher.offload_optimizer else {}
    match launcher:
        case DeepspeedZero2Launcher():
            return {"stage": 2, **common, **optimizer}
        case DeepspeedZero3Launcher(offload_weights=offload):
            weights = {"offload_param": {"device": "cpu"}} if offload else {}
            sizes = dict.fromkeys(
                ("reduce_bucket_size", "stage3_prefetch_bucket_size", "stage3_param_persistence_threshold"), AUTO
            )
            gather = {"stage3_gather_16bit_weights_on_model_save": True}
            return {"stage": 3, **common, **sizes, **gather, **optimizer, **weights}
