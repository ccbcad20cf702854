"""Weights and adapters from folders: loaded as they were, or refused in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel

from agentbench.config.model import Dtype
from agentbench.errors import PreflightError
from agentbench.llm import Sampling
from agentbench.llm.base_model import note_base
from agentbench.llm.hf_load import load_hf
from tests.llm.small_model import prompts, qwen, recorded, together


def saved(model: PreTrainedModel, folder: Path) -> Path:
    """The folder, with the model in it."""
    model.save_pretrained(str(folder))
    return folder


def adapter_of(folder: Path, base: Path) -> Path:
    """An adapter folder for the model saved in `base`, with effect."""
    torch.manual_seed(5)
    config = LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(load_hf(str(base), None, Dtype.FLOAT64, "cpu"), config).save_pretrained(str(folder))
    return folder


def test_a_saved_model_loads_as_it_was(model: PreTrainedModel, tmp_path: Path) -> None:
    loaded = load_hf(str(saved(model, tmp_path)), None, Dtype.FLOAT64, "cpu")
    request = prompts(Sampling(0, 1, 9))[:3]
    assert recorded(together(loaded, request)) == recorded(together(model, request))
    assert not loaded.training and loaded.dtype == torch.float64


def test_an_adapter_changes_the_answers(model: PreTrainedModel, tmp_path: Path) -> None:
    base = saved(model, tmp_path / "base")
    adapted = load_hf(str(base), adapter_of(tmp_path / "adapter", base), Dtype.FLOAT64, "cpu")
    requests = prompts(Sampling(0, 1, 9))[:5]
    assert recorded(together(adapted, requests)) != recorded(together(model, requests))


def test_an_adapter_of_another_base_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    base, other = saved(model, tmp_path / "base"), saved(model, tmp_path / "other")
    with pytest.raises(PreflightError, match=r"was trained on '.*base', not on '.*other'"):
        load_hf(str(other), adapter_of(tmp_path / "adapter", base), Dtype.FLOAT64, "cpu")


def test_an_adapter_of_other_weights_under_the_same_name_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    base, other = saved(model, tmp_path / "base"), saved(qwen(seed=1), tmp_path / "other" / "base")
    adapter = adapter_of(tmp_path / "adapter", base)
    note_base(adapter, str(base))
    assert load_hf(str(base), adapter, Dtype.FLOAT64, "cpu")
    with pytest.raises(PreflightError, match=r"was trained on other weights than those in '.*other/base'") as caught:
        load_hf(str(other), adapter, Dtype.FLOAT64, "cpu")
    assert caught.value.next_step.endswith(f"delete {adapter / 'base_model.json'}")


def test_an_adapter_that_lacks_weights_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    base = saved(model, tmp_path / "base")
    adapter = adapter_of(tmp_path / "adapter", base)
    config = json.loads((adapter / "adapter_config.json").read_text())
    (adapter / "adapter_config.json").write_text(json.dumps({**config, "target_modules": ["q_proj", "v_proj"]}))
    with pytest.raises(PreflightError, match="does not fit"):
        load_hf(str(base), adapter, Dtype.FLOAT64, "cpu")


def test_a_model_that_lacks_weights_is_refused(model: PreTrainedModel, tmp_path: Path) -> None:
    saved(model, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 3, "layer_types": None}))
    with pytest.raises(PreflightError, match=r"weights are missing, the first is 'model\.layers\.2"):
        load_hf(str(tmp_path), None, Dtype.FLOAT32, "cpu")


def test_what_is_no_model_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    (tmp_path / "pickled").mkdir()
    (tmp_path / "pickled" / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "pickled" / "pytorch_model.bin").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for path, problem in {
        str(tmp_path / "nothing"): "there is no such folder",
        str(tmp_path / "empty"): "config.json is missing",
        str(tmp_path / "pickled"): "holds its weights as a pickle",
        "nobody/nothing": "the hub does not give it",
    }.items():
        with pytest.raises(PreflightError, match=problem) as caught:
            load_hf(path, None, Dtype.FLOAT32, "cpu")
        assert "\n" not in str(caught.value)


def test_what_is_no_adapter_or_device_is_said(model: PreTrainedModel, tmp_path: Path) -> None:
    base = str(saved(model, tmp_path))
    with pytest.raises(PreflightError, match=r"adapter_config\.json is missing"):
        load_hf(base, tmp_path / "adapter", Dtype.FLOAT32, "cpu")
    with pytest.raises(PreflightError, match="no device 'quantum' here"):
        load_hf(base, None, Dtype.FLOAT32, "quantum")
