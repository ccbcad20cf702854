"""Weights from a folder or the hub: safetensors only, and never code that comes with a model."""

from __future__ import annotations

import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from agentbench.config.model import Dtype, Quantization
from agentbench.errors import PreflightError
from agentbench.llm.base_model import BASE, trained_on_others
from agentbench.llm.foreign_code import refuse_foreign_adapter, refuse_foreign_code

DTYPES = {Dtype.FLOAT64: torch.float64, Dtype.FLOAT32: torch.float32, Dtype.BFLOAT16: torch.bfloat16}

_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


def load_hf(
    path: str, adapter: Path | None, dtype: Dtype, device: str, *, quantization: Quantization | None = None
) -> PreTrainedModel:
    """A causal language model ready to answer, with a LoRA adapter in it if one is given.

    The adapter is not merged into the weights, nor quantized: what is served is computed the way it was trained.

    Raises:
        PreflightError: there is no such model, device or adapter, a file is broken or lacks weights, the adapter was
            trained on another model, or bitsandbytes is not installed.
    """
    disable_progress_bar()
    _check_device(device)
    _check_name(path)
    fewer_bits: Any = {} if quantization is None else _in_fewer_bits(quantization, dtype, device)
    try:
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=DTYPES[dtype],
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
            **fewer_bits,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        why = _short(error) if Path(path).is_dir() else "it is no folder here, and the hub does not give it"
        raise PreflightError(f"no model {path!r}: {why}", "correct model.path, or go online") from error
    model, missing = loaded[0], sorted(loaded[1]["missing_keys"])
    if missing:
        raise PreflightError(f"no model {path!r}: {len(missing)} weights are missing, the first is {missing[0]!r}")
    if quantization is Quantization.NF4:
        keep_layout(model)
    if adapter is not None:
        model = _with_adapter(model, path, adapter)
    placed = model if quantization else model.to(device)
    return placed.eval().requires_grad_(False)


def keep_layout(model: PreTrainedModel) -> None:
    """Lets 4-bit weights stay as they are when they are read.

    On CPUs with AVX-512 in bfloat16, bitsandbytes 0.50 rearranges them for good the first time they are read outside
    training. That fails where a layer's inputs are no multiple of 64, and from then on no gradient passes the layer.
    """
    from bitsandbytes.nn import Linear4bit  # type: ignore[import-not-found]

    for layer in model.modules():
        if isinstance(layer, Linear4bit):
            layer.support_avx512bf16_for_cpu = False  # type: ignore[assignment]


def _in_fewer_bits(quantization: Quantization, dtype: Dtype, device: str) -> dict[str, Any]:
    """What loading is told, so that weights are quantized as they come."""
    if find_spec("bitsandbytes") is None:
        problem = f"model.quantization={quantization} needs bitsandbytes, which is not installed"
        raise PreflightError(problem, "pip install 'agentbench[qlora]', or leave model.quantization away")
    match quantization:
        case Quantization.INT8:
            bits = BitsAndBytesConfig(load_in_8bit=True)
        case Quantization.NF4:
            bits = BitsAndBytesConfig(
                load_in_4bit=True,
                bnb_4bit_quant_type="nf4",
                bnb_4bit_use_double_quant=True,
                bnb_4bit_compute_dtype=DTYPES[dtype],
            )
    return {"quantization_config": bits, "device_map": {"": device}}


def _check_device(device: str) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise PreflightError(f"no device {device!r} here: {_short(error)}", "set model.device=cpu") from error


def _check_name(path: str) -> None:
    if Path(path).is_dir():
        if not (Path(path) / "config.json").is_file():
            raise PreflightError(f"no model {path!r}: config.json is missing", "correct model.path")
        refuse_foreign_code(path)
    elif not _HUB_NAME.fullmatch(path):
        raise PreflightError(f"no model {path!r}: there is no such folder", "correct model.path")


def _with_adapter(model: PreTrainedModel, path: str, adapter: Path) -> Any:
    """The model with the adapter's layers in it."""
    from peft import PeftModel

    _check_base(adapter, path, refuse_foreign_adapter(adapter).get("base_model_name_or_path") or path)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message=".*missing adapter keys")
            return PeftModel.from_pretrained(model, str(adapter)).get_base_model()
    except (OSError, ValueError, RuntimeError, SafetensorError, UserWarning) as error:
        raise PreflightError(f"adapter {str(adapter)!r} does not fit {path!r}: {_short(error)}") from error


def _check_base(adapter: Path, path: str, base: str) -> None:
    """Names tell models apart, and where they are equal the fingerprint that our own adapters carry."""
    if Path(base).name != Path(path).name:
        problem = f"adapter {str(adapter)!r} was trained on {base!r}, not on {path!r}"
        raise PreflightError(problem, "correct model.adapter or model.path")
    if trained_on_others(adapter, path):
        problem = f"adapter {str(adapter)!r} was trained on other weights than those in {path!r}"
        advice = f"correct model.adapter or model.path; if they are the same after all, delete {adapter / BASE}"
        raise PreflightError(problem, advice)


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
