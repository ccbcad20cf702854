"""DeepSpeed's JSON and FSDP's settings follow from the launcher."""

from __future__ import annotations

import pytest

from agentbench.config.launcher import (
    AccelerateLauncher,
    DeepspeedZero2Launcher,
    DeepspeedZero3Launcher,
    FsdpLauncher,
    LauncherConfig,
    SingleLauncher,
)
from agentbench.training.sharding import AUTO, deepspeed_settings, sharding_arguments


@pytest.mark.parametrize("launcher", [SingleLauncher(), AccelerateLauncher()])
def test_plain_data_parallel_shares_nothing(launcher: LauncherConfig) -> None:
    assert sharding_arguments(launcher) == {}


def test_zero_2_spreads_optimizer_and_gradients_only() -> None:
    zero = deepspeed_settings(DeepspeedZero2Launcher(offload_optimizer=True))["zero_optimization"]
    assert zero["stage"] == 2
    assert zero["offload_optimizer"] == {"device": "cpu"}
    assert not any("param" in key for key in zero)


def test_zero_3_spreads_weights_and_gathers_them_to_be_saved() -> None:
    zero = deepspeed_settings(DeepspeedZero3Launcher(offload_weights=True))["zero_optimization"]
    assert zero["stage"] == 3
    assert zero["offload_param"] == {"device": "cpu"}
    assert zero["stage3_gather_16bit_weights_on_model_save"]


def test_what_the_training_arguments_say_is_not_said_again() -> None:
    settings = deepspeed_settings(DeepspeedZero3Launcher())
    known = ("train_batch_size", "train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "gradient_clipping")
    assert [settings[key] for key in known] == [AUTO] * 4
    assert settings["bf16"] == {"enabled": AUTO}


def test_fsdp_is_the_second_version() -> None:
    assert sharding_arguments(FsdpLauncher()) == {"fsdp": True, "fsdp_config": {"version": 2, "cpu_offload": False}}
