"""What must hold before any weights are read; each thing that does not is one line."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PretrainedConfig

from agentbench.config.launcher import DeepspeedZero2Launcher, DeepspeedZero3Launcher, FsdpLauncher
from agentbench.config.lora import ALL_LINEAR, Lora, NoLora, Qlora
from agentbench.config.stage import DpoStage, KtoStage
from agentbench.config.trainer import Attention, Optimizer, Precision
from agentbench.errors import PreflightError
from agentbench.llm.base_model import BASE, trained_on_others
from agentbench.llm.foreign_code import refuse_foreign_adapter, refuse_foreign_code
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training.arguments import on_gpu
from agentbench.training.job import TrainJob
from agentbench.training.layers import last_names, layer_shapes, misfit, missing_target
from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.rows import refuse_other_tokenizer


def check_machine(job: TrainJob) -> None:
    """Whether packages and devices that the configuration asks for are here.

    Raises:
        PreflightError: one is not.
    """
    launcher, trainer, gpus = job.config.launcher, job.config.trainer, torch.cuda.device_count() if on_gpu(job) else 0
    if isinstance(job.config.lora, Qlora):
        _need("bitsandbytes", "lora=qlora", "lora=lora", extra="qlora")
    if trainer.optimizer is not Optimizer.ADAMW:
        _need("bitsandbytes", f"trainer.optimizer={trainer.optimizer}", "trainer.optimizer=adamw", extra="qlora")
    if isinstance(launcher, DeepspeedZero2Launcher | DeepspeedZero3Launcher):
        _need("deepspeed", f"launcher={launcher.kind}", "launcher=accelerate", extra="deepspeed")
    if isinstance(launcher, FsdpLauncher) and not gpus and trainer.precision is Precision.BFLOAT16:
        problem = "trainer.precision=bfloat16: without a GPU launcher=fsdp computes in float32"
        raise PreflightError(problem, "trainer.precision=float32, or launcher=deepspeed_zero3")
    if gpus and job.processes > gpus:
        raise PreflightError(f"launcher.processes={job.processes}: there are {gpus} GPUs", f"launcher.processes={gpus}")
    if trainer.attention is Attention.FLASH_ATTENTION_2:
        _need_gpu(gpus, "trainer.attention=flash_attention_2", "trainer.attention=sdpa")
        _need("flash_attn", "trainer.attention=flash_attention_2", "trainer.attention=sdpa")
    if trainer.liger:
        _need_gpu(gpus, "trainer.liger=true", "trainer.liger=false")
        _need("liger_kernel", "trainer.liger=true", "trainer.liger=false")
    if trainer.precision is Precision.BFLOAT16 and gpus and not torch.cuda.is_bf16_supported():
        raise PreflightError("trainer.precision=bfloat16: this GPU has no bfloat16", "trainer.precision=float32")


def check_model(job: TrainJob) -> None:
    """Whether there is a model, and has the layers that an adapter is to be put beside.

    Raises:
        PreflightError: there is none, or it has not.
    """
    settings = model_settings(job.model.path, "model.path")
    lora = job.config.lora
    if isinstance(lora, NoLora) or lora.targets == ALL_LINEAR or not job.makes_adapter:
        return
    shapes = layer_shapes(settings)
    if missing := missing_target(shapes, lora.targets):
        problem = f"lora.targets: no layer of {job.model.path!r} is called {missing!r}"
        raise PreflightError(problem, f"choose among {', '.join(last_names(shapes))}")


def check_adapter(job: TrainJob) -> None:
    """Whether an adapter that is given was trained on the model, and can be gone on from as asked.

    Raises:
        PreflightError: it was not, cannot, or is none.
    """
    adapter, lora = job.model.adapter, job.config.lora
    if adapter is None:
        return
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (adapter / name).is_file():
            raise PreflightError(f"no adapter in {str(adapter)!r}: {name} is missing", "correct model.adapter")
    settings = _adapter_settings(adapter)
    base = settings.get("base_model_name_or_path") or job.model.path
    if Path(base).name != Path(job.model.path).name:
        problem = f"adapter {str(adapter)!r} was trained on {base!r}, not on {job.model.path!r}"
        raise PreflightError(problem, "correct model.adapter or model.path")
    if trained_on_others(adapter, job.model.path):
        problem = f"adapter {str(adapter)!r} was trained on other weights than those in {job.model.path!r}"
        advice = f"correct model.adapter or model.path; if they are the same after all, delete {adapter / BASE}"
        raise PreflightError(problem, advice)
    if problem := misfit(layer_shapes(model_settings(job.model.path, "model.path")), adapter):
        raise PreflightError(f"adapter {str(adapter)!r} does not fit {job.model.path!r}: {problem}", "correct either")
    if isinstance(lora, Lora) and lora.create_new_adapter and settings.get("use_dora"):
        problem = f"adapter {str(adapter)!r} is a DoRA adapter, and no second one can be made one with it"
        raise PreflightError(problem, "lora.create_new_adapter=false")


def check_reference(job: TrainJob) -> None:
    """Whether another model that is compared with reads the same tokens.

    Raises:
        PreflightError: it does not, or is not there.
    """
    stage = job.config.stage
    if not isinstance(stage, DpoStage | KtoStage) or stage.ref_path is None:
        return
    own, other = model_settings(job.model.path, "model.path"), model_settings(stage.ref_path, "stage.ref_path")
    sizes = [settings.get_text_config().vocab_size for settings in (own, other)]
    if sizes[0] != sizes[1]:
        problem = f"stage.ref_path={stage.ref_path!r}: its vocabulary has {sizes[1]} tokens, the model's {sizes[0]}"
        raise PreflightError(problem, "choose a reference of the same family")
    if stage.sync_ref_every is not None and layer_shapes(own) != layer_shapes(other):
        problem = f"stage.ref_path={stage.ref_path!r}: its layers are not the model's, and so it cannot move towards it"
        raise PreflightError(problem, "choose a reference of the same architecture, or stage.sync_ref_every=null")
    fingerprints = {tokenizer_fingerprint(load_tokenizer(place)) for place in (_tokenizer(job), stage.ref_path)}
    if len(fingerprints) > 1:
        problem = f"stage.ref_path={stage.ref_path!r}: its tokenizer is not the model's"
        raise PreflightError(problem, "choose a reference of the same family")


def check_tokenizer(job: TrainJob) -> None:
    """Whether the rows' tokens are the model's.

    Raises:
        PreflightError, DataError: they are not, or the rows cannot be read.
    """
    files = (*job.config.rows, *job.config.validation_rows)
    if files:
        fingerprint = tokenizer_fingerprint(load_tokenizer(_tokenizer(job)))
        for path in files:
            refuse_other_tokenizer(path, fingerprint)


def context_length(job: TrainJob) -> int | None:
    """Longest input of the model and of one that it is compared with, in tokens; `None` where neither sets a limit.

    Raises:
        PreflightError: there is no such model.
    """
    stage = job.config.stage
    places = {"model.path": job.model.path}
    if isinstance(stage, DpoStage | KtoStage) and stage.ref_path is not None:
        places["stage.ref_path"] = stage.ref_path
    settings = (model_settings(path, key).get_text_config().to_dict() for key, path in places.items())
    limits = [found["max_position_embeddings"] for found in settings if found.get("max_position_embeddings")]
    return min(limits, default=None)


def model_settings(path: str, key: str) -> PretrainedConfig:
    """A model's own configuration, without its weights; `key` is the configuration key that names it.

    Raises:
        PreflightError: there is no such model, or its configuration cannot be read.
    """
    refuse_foreign_code(path, key)
    try:
        return AutoConfig.from_pretrained(path, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        there = Path(path).is_dir()
        why = " ".join(str(error).split())[:200] if there else "it is no folder here, and the hub does not give it"
        raise PreflightError(f"no model {path!r}: {why}", f"correct {key}, or go online") from error


def _adapter_settings(adapter: Path) -> dict[str, Any]:
    found = refuse_foreign_adapter(adapter)
    if found.get("peft_type", "LORA") != "LORA":
        problem = f"adapter {str(adapter)!r} is of the kind {found['peft_type']!r}, and only LORA can be trained here"
        raise PreflightError(problem, "correct model.adapter")
    return found


def _tokenizer(job: TrainJob) -> str:
    return job.config.template.tokenizer or job.model.path


def _need(package: str, asked: str, instead: str, *, extra: str | None = None) -> None:
    """An extra of ours names the version that was seen to work with the others."""
    if importlib.util.find_spec(package) is None:
        name = package.replace("_", "-")
        wanted = f"'agentbench[{extra}]'" if extra else name
        raise PreflightError(f"{asked}: the package {name} is not installed", f"pip install {wanted}, or {instead}")


def _need_gpu(gpus: int, asked: str, instead: str) -> None:
    if not gpus:
        raise PreflightError(f"{asked}: needs a GPU, and there is none", instead)
