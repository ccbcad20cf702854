"""What must hold before any weights are read; each thing that does not is one line."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import torch
from transformers import AutoConfig, PretrainedConfig

from agentbench.config.launcher import DeepspeedZero2Launcher, DeepspeedZero3Launcher, FsdpLauncher
from agentbench.config.lora import Lora, Qlora
from agentbench.config.stage import DpoStage, KtoStage
from agentbench.config.trainer import Attention, Precision
from agentbench.errors import PreflightError
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training.arguments import on_gpu
from agentbench.training.job import TrainJob
from agentbench.training_data.identity import tokenizer_fingerprint
from agentbench.training_data.rows import refuse_other_tokenizer


def check_machine(job: TrainJob) -> None:
    """Whether packages and devices that the configuration asks for are here.

    Raises:
        PreflightError: one is not.
    """
    launcher, trainer, gpus = job.config.launcher, job.config.trainer, torch.cuda.device_count() if on_gpu(job) else 0
    if isinstance(job.config.lora, Qlora):
        _need("bitsandbytes", "lora=qlora", "lora=lora")
    if isinstance(launcher, DeepspeedZero2Launcher | DeepspeedZero3Launcher):
        _need("deepspeed", f"launcher={launcher.kind}", "launcher=accelerate")
    if isinstance(launcher, FsdpLauncher) and not gpus:
        problem = "launcher=fsdp: accelerate spreads weights over GPUs only, and there is none"
        raise PreflightError(problem, "launcher=accelerate, or launcher=deepspeed_zero3")
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
    settings = json.loads((adapter / "adapter_config.json").read_bytes())
    base = settings.get("base_model_name_or_path") or job.model.path
    if Path(base).name != Path(job.model.path).name:
        problem = f"adapter {str(adapter)!r} was trained on {base!r}, not on {job.model.path!r}"
        raise PreflightError(problem, "correct model.adapter or model.path")
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
    """Longest input of the model, in tokens; `None` where its configuration sets no limit.

    Raises:
        PreflightError: there is no such model.
    """
    settings = model_settings(job.model.path, "model.path").get_text_config().to_dict()
    return settings.get("max_position_embeddings")


def model_settings(path: str, key: str) -> PretrainedConfig:
    """A model's own configuration, without its weights; `key` is the configuration key that names it.

    Raises:
        PreflightError: there is no such model, or its configuration cannot be read.
    """
    try:
        return AutoConfig.from_pretrained(path)
    except (OSError, ValueError, KeyError) as error:
        there = Path(path).is_dir()
        why = " ".join(str(error).split())[:200] if there else "it is no folder here, and the hub does not give it"
        raise PreflightError(f"no model {path!r}: {why}", f"correct {key}, or go online") from error


def _tokenizer(job: TrainJob) -> str:
    return job.config.template.tokenizer or job.model.path


def _need(package: str, asked: str, instead: str) -> None:
    if importlib.util.find_spec(package) is None:
        name = package.replace("_", "-")
        raise PreflightError(f"{asked}: the package {name} is not installed", f"pip install {name}, or {instead}")


def _need_gpu(gpus: int, asked: str, instead: str) -> None:
    if not gpus:
        raise PreflightError(f"{asked}: needs a GPU, and there is none", instead)
