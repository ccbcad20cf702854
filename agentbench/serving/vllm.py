"""A vLLM server's command line and environment, and what can be told of it before it starts.

Its defaults are put right for agents whose tokens are trained on: sampling takes nothing from the model's
`generation_config.json` (vLLM would add its top-k and penalties to every request), log-probabilities are the model's
own before any temperature, and answers tell how much of a prompt was cached.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.config.serve import ServeDtype, VllmServe
from agentbench.errors import PreflightError
from agentbench.llm.foreign_code import refuse_foreign_adapter, refuse_foreign_code
from agentbench.serving.weights import Weights, base_identity

BUILT_BY_MAKE = Path(".venv-vllm/bin/python")
"""Where `make vllm` and `make vllm-cpu` put it."""

KEY_VARIABLE = "VLLM_API_KEY"
"""Environment variable, or line in `.env`, of the key that a server asks for; it asks for none where there is none."""

_CPU_HEADS = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)
"""Values of head_dim that vLLM's CPU kernels take; others start, and kill the engine at the first request."""
_RANKS = (1, 8, 16, 32, 64, 128, 256, 320, 512)
"""Values that `--max-lora-rank` takes."""
_ADAPTERS_IN_MEMORY = 32
_ASK_S = 120.0
_VERSIONS = """
import importlib.metadata as metadata, json
found = {}
for name in ("vllm", "vllm-cpu"):
    try: found[name] = metadata.version(name)
    except metadata.PackageNotFoundError: pass
print(json.dumps(found))
"""


class Build(NamedTuple):
    """An installed vLLM."""

    python: Path
    version: str
    cpu: bool
    """It computes on the CPU."""


def find_build(python: Path | None) -> Build:
    """The vLLM of an environment; `None` asks for the usual places.

    Raises:
        PreflightError: there is no such interpreter, or it has no vLLM.
    """
    chosen = python or (BUILT_BY_MAKE if BUILT_BY_MAKE.is_file() else Path(sys.executable))
    advice = "make vllm (CUDA) or make vllm-cpu, or name the environment that has it: serve.python=…/bin/python"
    try:
        told = subprocess.run([str(chosen), "-c", _VERSIONS], capture_output=True, timeout=_ASK_S, check=True)
        versions: dict[str, str] = orjson.loads(told.stdout)
    except (OSError, subprocess.SubprocessError, orjson.JSONDecodeError) as error:
        why = (error.strerror or "it does not run") if isinstance(error, OSError) else "it is no Python interpreter"
        raise PreflightError(f"serve.python={str(chosen)!r}: {why}", advice) from error
    if not versions:
        raise PreflightError(f"no vLLM in the environment of {str(chosen)!r}", advice)
    version = next(iter(versions.values()))
    return Build(chosen.absolute(), version, "vllm" not in versions or version.endswith("+cpu"))


def check_weights(weights: Weights, build: Build) -> None:
    """Finds out what would end a server only after it has started.

    Raises:
        PreflightError: a folder holds no model, or one with code or pickles, or the CPU build has no kernel for it.
    """
    config = _model_config(weights.path)
    refuse_foreign_code(weights.path)
    if weights.adapter is not None:
        refuse_foreign_adapter(weights.adapter)
    text = config.get("text_config") or config
    heads, hidden = text.get("num_attention_heads"), text.get("hidden_size")
    head_dim = text.get("head_dim") or (hidden // heads if heads and hidden else None)
    if build.cpu and head_dim is not None and head_dim not in _CPU_HEADS:
        allowed = ", ".join(map(str, _CPU_HEADS))
        problem = f"vLLM's CPU build computes no model with head_dim {head_dim}, as {weights.path!r} has"
        raise PreflightError(f"{problem}; it takes {allowed}", "use a GPU, or serve=none")


def command(serve: VllmServe, weights: Weights, build: Build, port: int) -> list[str]:
    """The command line of a server that listens on a port.

    The module, not the `vllm` command, which looks for a package of that very name and dies in the CPU build.
    """
    adapters = str(serve.max_adapters)
    in_memory = str(max(_ADAPTERS_IN_MEMORY, serve.max_adapters))
    lora = ["--enable-lora", "--max-loras", adapters, "--max-cpu-loras", in_memory, "--max-lora-rank"]
    return [
        *(str(build.python), "-m", "vllm.entrypoints.openai.api_server"),
        *("--model", weights.path, "--served-model-name", weights.name),
        *("--host", serve.host, "--port", str(port), "--uvicorn-log-level", "warning"),
        *("--dtype", computed_in(serve, build).value, "--generation-config", "vllm"),
        *("--logprobs-mode", "raw_logprobs", "--enable-prompt-tokens-details"),
        *("--tensor-parallel-size", str(serve.tensor_parallel), "--data-parallel-size", str(serve.data_parallel)),
        "--enable-prefix-caching" if serve.prefix_caching else "--no-enable-prefix-caching",
        *(("--block-size", "32") if build.cpu else ("--gpu-memory-utilization", str(serve.memory_share))),
        *(("--max-model-len", str(serve.max_length)) if serve.max_length else ()),
        *(("--quantization", serve.quantization) if serve.quantization else ()),
        *([*lora, str(next(rank for rank in _RANKS if rank >= serve.max_adapter_rank))] if serve.max_adapters else ()),
        *serve.arguments,
    ]


def environment(serve: VllmServe, weights: Weights, build: Build, api_key: str = "") -> dict[str, str]:
    """The variables of a server: ours, and those it needs. With a key it answers only those who send it."""
    own = {"VLLM_NO_USAGE_STATS": "1", "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "True", "PYTHONUNBUFFERED": "1"}
    if Path(weights.path).is_dir():
        own["HF_HUB_OFFLINE"] = "1"
    if api_key:
        own[KEY_VARIABLE] = api_key
    if build.cpu:
        own["VLLM_CPU_KVCACHE_SPACE"] = str(serve.cpu_cache_gib)
        threads = serve.threads or (1 if weights.tiny else None)
        if threads:
            own |= {"OMP_NUM_THREADS": str(threads), "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    return {**os.environ, **own}


def computed_in(serve: VllmServe, build: Build) -> ServeDtype:
    """The number format, where it is known before the start."""
    return ServeDtype.FLOAT32 if build.cpu and serve.dtype is ServeDtype.AUTO else serve.dtype


def fingerprint(serve: VllmServe, weights: Weights, build: Build) -> str:
    """A name for all that makes a server what it is, on this machine: equal ones can be shared.

    A model that was trained anew in the same folder is another one. Where it listens is no part of it.
    """
    same = command(dataclasses.replace(serve, host=""), weights, build, 0)
    computing = [serve.cpu_cache_gib, serve.threads, build.version, socket.gethostname()]
    return hashlib.sha256(orjson.dumps([same, computing, base_identity(weights.path)])).hexdigest()[:12]


def _model_config(path: str) -> dict[str, Any]:
    """A model folder's configuration; an empty one for names on the hub."""
    if not Path(path).exists() and len(Path(path).parts) <= 2 and not path.startswith((".", "/", "~")):
        return {}
    try:
        return orjson.loads((Path(path) / "config.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as error:
        why = "config.json is broken" if isinstance(error, orjson.JSONDecodeError) else "config.json is missing"
        if not Path(path).is_dir():
            why = "there is no such folder"
        raise PreflightError(f"no model {path!r}: {why}", "correct model.path") from error
