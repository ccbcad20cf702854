"""The model that is trained, with its adapter, and the one it is compared with.

Given and asked for                    what is trained                      reference, unless `ref_model` says else
─────────────────────────────────────  ───────────────────────────────────  ──────────────────────────────────────────
lora=none                              all weights                          a second copy of the model
lora=none, an adapter                  all weights, the adapter merged in   a second copy, the adapter merged in
lora=lora|qlora                        a new adapter                        the adapter switched off
lora=lora|qlora, an adapter            that adapter                         a frozen copy of that adapter (TRL's "ref")
lora=lora, an adapter, create_new…     a new adapter on the merged weights  the new adapter switched off

In every row model and reference are the same function before the first step. TRL by itself would load the reference of
the second row without its adapter.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig as PeftLora
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig, PreTrainedModel
from transformers.tokenization_utils_base import PreTrainedTokenizerBase

from agentbench.config.lora import Lora, NoLora, Qlora
from agentbench.config.stage import DpoStage, KtoStage, RefModel
from agentbench.config.trainer import Attention
from agentbench.errors import PreflightError
from agentbench.llm.hf_load import DTYPES, keep_layout, load_hf
from agentbench.training.arguments import on_gpu
from agentbench.training.job import TrainJob

TrainedModel = PreTrainedModel | PeftModel


class Trainee(NamedTuple):
    """What is trained."""

    model: TrainedModel
    tokenizer: PreTrainedTokenizerBase
    new_adapter: PeftLora | None = None
    """The adapter that TRL is to add; `None` for all weights, or where the model has it already."""


def load_trainee(job: TrainJob) -> Trainee:
    """The model as training finds it.

    Raises:
        PreflightError: model or adapter cannot be loaded.
    """
    lora, given = job.config.lora, job.model.adapter
    tokenizer = AutoTokenizer.from_pretrained(job.config.template.tokenizer or job.model.path, trust_remote_code=False)
    match lora:
        case NoLora():
            model = _load(job, job.model.path)
            return Trainee(_all_weights(_merged(model, given) if given else model), tokenizer)
        case Lora(create_new_adapter=True) if given is not None:
            return Trainee(_merged(_load(job, job.model.path), given), tokenizer, peft_lora(lora))
        case _ if given is not None:
            return Trainee(_with_adapter(_load(job, job.model.path), given, trainable=True), tokenizer)
        case _:
            return Trainee(_load(job, job.model.path), tokenizer, peft_lora(lora))


def load_reference(job: TrainJob) -> PreTrainedModel | None:
    """The model to compare with; `None` where the trained model, its adapter switched, is its own reference.

    Raises:
        PreflightError: it cannot be loaded.
    """
    stage, lora, given = job.config.stage, job.config.lora, job.model.adapter
    if not isinstance(stage, DpoStage | KtoStage):
        return None
    start_is_at_hand = not isinstance(lora, NoLora) or stage.precompute_ref_log_probs
    match stage.ref_model:
        case RefModel.PATH:
            return _load(job, stage.ref_path or "").eval()
        case RefModel.BASE if given is not None:
            return _load(job, job.model.path).eval()
        case _ if start_is_at_hand:
            return None
        case _:
            model = _load(job, job.model.path)
            return (_merged(model, given) if given else model).eval()


def peft_lora(lora: Lora | Qlora) -> PeftLora:
    """The adapter as PEFT is told."""
    targets = lora.targets[0] if lora.targets == ("all-linear",) else list(lora.targets)
    return PeftLora(
        task_type="CAUSAL_LM",
        r=lora.rank,
        lora_alpha=lora.alpha,  # type: ignore[arg-type]  # PEFT scales by fractions too
        lora_dropout=lora.dropout,
        target_modules=targets,
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        bias="none",
    )


def merge(job: TrainJob, adapter: Path) -> PreTrainedModel:
    """The model's own weights, in `model.dtype`, with an adapter in them.

    Raises:
        PreflightError: model or adapter cannot be loaded.
    """
    return _merged(load_hf(job.model.path, None, job.model.dtype, "cpu"), adapter)


def join_adapters(job: TrainJob, first: Path, second: Path, target: Path) -> None:
    """Writes one adapter for the base model that does what two do after another: its rank is the sum of theirs.

    Raises:
        PreflightError: model or adapter cannot be loaded.
    """
    model = _with_adapter(load_hf(job.model.path, None, job.model.dtype, "cpu"), first, trainable=False)
    model.load_adapter(str(second), "second")
    for config in model.peft_config.values():
        config.use_rslora = False  # type: ignore[attr-defined]  # scales are in the layers by now; the sum has none
    pair = ["default", "second"]
    model.base_model.add_weighted_adapter(pair, [1.0, 1.0], "both", combination_type="cat")  # type: ignore[operator]
    draft = target.with_name(f".{target.name}")
    model.save_pretrained(str(draft), selected_adapters=["both"])
    (draft / "both").rename(target)
    shutil.rmtree(draft)


def _load(job: TrainJob, path: str) -> PreTrainedModel:
    model = _in_4_bits(job, path) if isinstance(job.config.lora, Qlora) else _whole(job, path)
    if model.config.get_text_config().tie_word_embeddings:
        model._keys_to_ignore_on_save = set(model._tied_weights_keys or ())  # or taking up a checkpoint warns of them
    if job.config.trainer.attention is not Attention.SDPA:
        model.set_attn_implementation(job.config.trainer.attention.value)
    return model


def _whole(job: TrainJob, path: str) -> PreTrainedModel:
    return load_hf(path, None, job.model.dtype, "cpu")


def _in_4_bits(job: TrainJob, path: str) -> PreTrainedModel:
    dtype = DTYPES[job.model.dtype]
    nf4 = BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=dtype
    )
    place: Any = {"": torch.cuda.current_device()} if on_gpu(job) else "cpu"
    try:
        model = AutoModelForCausalLM.from_pretrained(
            path, dtype=dtype, quantization_config=nf4, device_map=place, use_safetensors=True, trust_remote_code=False
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise PreflightError(f"no model {path!r} in 4 bits: {' '.join(str(error).split())[:200]}") from error
    keep_layout(model)
    return model


def _all_weights(model: PreTrainedModel) -> PreTrainedModel:
    return model.requires_grad_(True)


def _with_adapter(model: PreTrainedModel, adapter: Path, *, trainable: bool) -> PeftModel:
    try:
        return PeftModel.from_pretrained(model, str(adapter), is_trainable=trainable)
    except (OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise PreflightError(f"adapter {str(adapter)!r} does not fit the model: {reason}") from error


def _merged(model: PreTrainedModel, adapter: Path) -> PreTrainedModel:
    return _with_adapter(model, adapter, trainable=False).merge_and_unload(safe_merge=True)
