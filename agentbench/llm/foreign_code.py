"""Models and adapters that would bring code of their own: refused before any library opens them.

A pickle (`pytorch_model.bin`, `*.pt`) can run anything when it is read, and `auto_map` names Python files beside the
weights that transformers would import. Neither is needed: weights come as safetensors, and architectures with
transformers. What is looked at are folders; of the hub, loading takes safetensors alone and no code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

from agentbench.errors import PreflightError

_CONFIGS = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.pkl", "*.ckpt")
_CONVERT = "save it once as safetensors where it was made: model.save_pretrained(folder, safe_serialization=True)"
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def refuse_foreign_code(path: str, key: str = "model.path") -> None:
    """Lets folders of models pass that hold weights and settings only; names on the hub pass unseen.

    Raises:
        PreflightError: the weights are pickles, or a configuration names code or is no JSON; `key` names the setting.
    """
    folder = Path(path)
    if not folder.is_dir():
        return
    for name in _CONFIGS:
        if (folder / name).is_file() and "auto_map" in _settings(folder / name, key):
            problem = f"{key}={path!r} brings code of its own (auto_map in {name}), which is never run"
            raise PreflightError(problem, "use a model whose architecture transformers has")
    pickles = _pickles(folder)
    if pickles and not any(folder.glob("*.safetensors")):
        problem = f"{key}={path!r} holds its weights as a pickle ({pickles[0]}), which can run anything when it is read"
        raise PreflightError(problem, _CONVERT)


def refuse_foreign_adapter(adapter: Path, key: str = "model.adapter") -> dict[str, Any]:
    """The settings of an adapter's folder that holds weights and settings only.

    Raises:
        PreflightError: a file is missing or no JSON, the weights are a pickle, or modules are named for import.
    """
    weights = adapter / ADAPTER_WEIGHTS
    pickles = _pickles(adapter) if adapter.is_dir() and not weights.is_file() else []
    if pickles:
        problem = (
            f"{key}={str(adapter)!r} holds its weights as a pickle ({pickles[0]}), which can run anything when read"
        )
        raise PreflightError(problem, _CONVERT)
    for path in (adapter / ADAPTER_CONFIG, weights):
        if not path.is_file():
            raise PreflightError(f"no adapter in {str(adapter)!r}: {path.name} is missing", f"correct {key}")
    settings = _settings(adapter / ADAPTER_CONFIG, key)
    if settings.get("megatron_config"):  # PEFT then imports what `megatron_core` names
        problem = f"{key}={str(adapter)!r} names a module to import (megatron_config in {ADAPTER_CONFIG})"
        raise PreflightError(problem, f"take megatron_config out of {ADAPTER_CONFIG}, and see whether it still fits")
    return settings


def _pickles(folder: Path) -> list[str]:
    found = (path.name for pattern in _PICKLES for path in sorted(folder.glob(pattern)))
    return [name for name in found if name != "training_args.bin"]  # trainers leave it, and nothing here reads it


def _settings(path: Path, key: str) -> dict[str, Any]:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        raise PreflightError(f"{path}: not JSON: {error}", f"correct {key}") from None
    if not isinstance(found, dict):
        raise PreflightError(f"{path}: no JSON object", f"correct {key}")
    return found
