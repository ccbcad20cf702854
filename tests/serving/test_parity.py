"""A server that computes other weights than it was asked for is found out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import PreTrainedModel, Qwen3Config, Qwen3ForCausalLM

from agentbench.config.model import Dtype
from agentbench.llm.hf_load import load_hf
from agentbench.serving.client import Sampled
from agentbench.serving.parity import Expected, Parity, Probe, compare, expected
from agentbench.serving.weights import Weights

PROMPTS = ((5, 9, 21), (40, 3, 3, 17))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A random model of 60 tokens."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8}
    config = Qwen3Config(vocab_size=60, hidden_size=16, intermediate_size=32, num_hidden_layers=1, **shape)
    model = Qwen3ForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight.mul_(30)
    folder = tmp_path_factory.mktemp("base")
    model.save_pretrained(str(folder))
    yield folder
    torch.set_num_threads(threads)


def adapter(base: Path, folder: Path, seed: int, strength: float = 1.0) -> Path:
    """An adapter on the base; of strength 0 it changes nothing."""
    torch.manual_seed(seed)
    model = get_peft_model(load_hf(str(base), None, Dtype.FLOAT32, "cpu"), LoraConfig(r=2, target_modules=["o_proj"]))
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=strength)
    model.save_pretrained(str(folder))
    return folder


def served(base: Path, adapter: Path | None) -> tuple[Probe, ...]:
    """What a server with these weights would answer."""
    model = load_hf(str(base), adapter, Dtype.FLOAT32, "cpu")
    return tuple(Probe(prompt, greedy(model, list(prompt))) for prompt in PROMPTS)


def greedy(model: PreTrainedModel, ids: list[int]) -> Sampled:
    logprobs: list[float] = []
    start = len(ids)
    with torch.inference_mode():
        for _ in range(6):
            best = model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1).max(-1)
            ids, logprobs = [*ids, int(best.indices)], [*logprobs, float(best.values)]
    return Sampled(tuple(ids[start:]), tuple(logprobs))


def parity(base: Path, wanted: Path | None, computed: Path | None, cache: Path) -> Parity:
    probes = served(base, computed)
    return compare(probes, expected(Weights(str(base), wanted), probes, "cpu", cache), tolerance=0.01)


def test_the_weights_that_were_asked_for_pass(base: Path, tmp_path: Path) -> None:
    mine = adapter(base, tmp_path / "mine", 1)
    found = parity(base, mine, mine, tmp_path / "cache")
    assert found.problem() == "" and found.difference < 1e-4 and found.effect > 0.1
    assert found.tokens == 12  # two prompts of 6 tokens
    assert parity(base, None, None, tmp_path / "cache").problem() == ""


def test_an_adapter_that_was_not_applied_is_refused(base: Path, tmp_path: Path) -> None:
    found = parity(base, adapter(base, tmp_path / "mine", 1), None, tmp_path / "cache")
    assert "it answers as the base model without the adapter" in found.problem()


def test_another_adapter_is_refused(base: Path, tmp_path: Path) -> None:
    mine, stale = adapter(base, tmp_path / "mine", 1), adapter(base, tmp_path / "stale", 2)
    assert "nats on average, 0.01 is allowed" in parity(base, mine, stale, tmp_path / "cache").problem()
    assert "nats on average" in parity(base, None, stale, tmp_path / "cache").problem()


def test_an_adapter_without_effect_passes_and_is_said_to_have_none(base: Path, tmp_path: Path) -> None:
    found = parity(base, adapter(base, tmp_path / "new", 1, strength=0.0), None, tmp_path / "cache")
    assert found.problem() == "" and found.effect == 0
    assert found.line(adapted=True).endswith("too little to tell it from none")


def test_what_was_computed_once_is_read_again(base: Path, tmp_path: Path) -> None:
    probes = served(base, None)
    first = expected(Weights(str(base)), probes, "cpu", tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes().replace(b"[-", b"[-1", 1))
    assert expected(Weights(str(base)), probes, "cpu", tmp_path) != first


def parity_of(served: float, adapted: float, base: float, tolerance: float) -> Parity:
    """One token with these log-probabilities."""
    return compare([Probe((1,), Sampled((2,), (served,)))], Expected(((adapted,),), ((base,),)), tolerance)


@pytest.mark.parametrize(
    ("served", "problem"),
    [
        (-1.00, ""),  # as the adapter says
        (-1.09, ""),  # 0.09 from the adapter, 0.21 from the base
        (-1.11, "differ by 0.11 nats on average, 0.1 is allowed"),
        (-1.30, "as the base model"),  # what the base says
        (math.nan, "differ by nan nats"),
    ],
)
def test_the_difference_has_to_be_small(served: float, problem: str) -> None:
    found = parity_of(served, adapted=-1.0, base=-1.3, tolerance=0.1).problem()
    assert problem in found and bool(found) is bool(problem)


@pytest.mark.parametrize(
    ("served", "refused", "told"),
    [
        (-1.01, False, True),  # 0.01 from the adapter, 0.05 from the base
        (-1.03, False, False),  # 0.03 and 0.03
        (-1.035, False, False),  # 0.035 and 0.025: nearer to the base, but not twice
        (-1.05, True, False),  # 0.05 and 0.01
    ],
)
def test_within_the_tolerance_it_must_not_be_clearly_nearer_to_the_base(
    served: float, refused: bool, told: bool
) -> None:
    found = parity_of(served, adapted=-1.0, base=-1.06, tolerance=0.1)
    assert bool(found.problem()) is refused
    assert ("too little to tell" not in found.line(adapted=True)) is told
