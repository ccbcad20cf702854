"""A model's layers without its weights: which a LoRA adapter may be put beside, and whether a given one fits them."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM, PretrainedConfig

from agentbench.errors import PreflightError

Shapes = dict[str, tuple[int, ...]]
"""By name: outputs × inputs of a layer."""


def layer_shapes(settings: PretrainedConfig) -> Shapes:
    """The layers of a causal language model that have a matrix, by their full names; nothing is allocated.

    Raises:
        PreflightError: it is none.
    """
    try:
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(settings)
    except ValueError as error:
        raise PreflightError(f"{settings.model_type!r} is no causal language model", "correct model.path") from error
    weights = (
        (name.removesuffix(".weight"), weight) for name, weight in model.named_parameters(remove_duplicate=False)
    )
    return {name: tuple(weight.shape) for name, weight in weights if weight.dim() == 2}


def missing_target(shapes: Shapes, targets: tuple[str, ...]) -> str:
    """The first target that names no layer, as PEFT reads it; empty where each names one."""
    return next((target for target in targets if not any(f".{name}".endswith(f".{target}") for name in shapes)), "")


def last_names(shapes: Shapes) -> list[str]:
    """What layers are called inside a block, each name once."""
    return sorted({name.rpartition(".")[2] for name in shapes})


def misfit(shapes: Shapes, adapter: Path) -> str:
    """What of an adapter's weights fits no layer; empty where all do.

    Raises:
        PreflightError: its weights cannot be read.
    """
    for name, (layer, shape, axis) in _adapter_sides(adapter).items():
        if layer not in shapes:
            return f"it has {name}, and the model no such layer"
        if shape[axis] != shapes[layer][axis]:
            return f"{name} is {_shown(shape)}, and the model's layer {_shown(shapes[layer])}"
    return ""


def _adapter_sides(adapter: Path) -> dict[str, tuple[str, tuple[int, ...], int]]:
    """By name of a weight: its layer, its shape, and which axis it shares with the layer's matrix."""
    path = adapter / "adapter_model.safetensors"
    sides: dict[str, tuple[str, tuple[int, ...], int]] = {}
    try:
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118  (no mapping)
                layer, _, side = key.removeprefix("base_model.model.").rpartition(".lora_")
                axis = {"A.weight": 1, "B.weight": 0}.get(side)
                if axis is not None:
                    sides[key] = (layer, tuple(file.get_slice(key).get_shape()), axis)
    except (OSError, SafetensorError) as error:
        problem = f"no adapter in {str(adapter)!r}: {path.name} cannot be read: {' '.join(str(error).split())}"
        raise PreflightError(problem, "correct model.adapter") from error
    return sides


def _shown(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
