"""Weights in fewer bits while a model answers."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from agentbench.config.model import Dtype, Quantization
from agentbench.errors import PreflightError
from agentbench.llm.hf_load import load_hf

INSTALLED = find_spec("bitsandbytes") is not None
IDS = torch.tensor([[1, 2, 3, 4]])


@pytest.mark.skipif(INSTALLED, reason="bitsandbytes is here")
def test_without_bitsandbytes_one_line_says_what_to_install(model: PreTrainedModel, tmp_path: Path) -> None:
    model.save_pretrained(str(tmp_path))
    with pytest.raises(PreflightError, match=r"model\.quantization=nf4 needs bitsandbytes") as caught:
        load_hf(str(tmp_path), None, Dtype.FLOAT32, "cpu", quantization=Quantization.NF4)
    assert "agentbench[qlora]" in caught.value.next_step


@pytest.mark.skipif(not INSTALLED, reason="bitsandbytes is an optional extra")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("bits", Quantization)
def test_fewer_bits_take_less_memory_and_say_nearly_the_same(
    model: PreTrainedModel, tmp_path: Path, bits: Quantization
) -> None:
    model.save_pretrained(str(tmp_path))
    whole = load_hf(str(tmp_path), None, Dtype.FLOAT32, "cpu")
    fewer = load_hf(str(tmp_path), None, Dtype.FLOAT32, "cpu", quantization=bits)
    assert fewer.get_memory_footprint() < whole.get_memory_footprint()
    one, other = whole(IDS).logits.flatten(), fewer(IDS).logits.flatten()
    assert 0.9 < torch.cosine_similarity(one, other, dim=0) < 1 - 1e-9
