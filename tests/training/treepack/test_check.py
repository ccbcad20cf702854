"""What is refused by name, and what numbers catch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import Qwen3NextConfig, Qwen3NextForCausalLM

from agentbench.training.treepack.check import Allowed, Difference, refusal, rope_limit, rows_to_check
from agentbench.training.treepack.forward import Packing, TreeOptions, install


def test_ordinary_models_are_not_refused(make_model: Any) -> None:
    assert [refusal(make_model(kind)) for kind in ("qwen3", "llama", "mistral", "gemma3", "qwen3_moe", "granite")] == [
        ""
    ] * 6


def test_gated_delta_layers_are_refused_by_name() -> None:
    config = Qwen3NextConfig(vocab_size=20, hidden_size=16, intermediate_size=16, num_hidden_layers=4, num_experts=2)
    hybrid = Qwen3NextForCausalLM(config)
    assert refusal(hybrid) == "layers of type linear_attention are not known to keep to a tree"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"attn_implementation": "eager"}, "attn_implementation is 'eager'; set it to 'sdpa'"),
        ({"attention_dropout": 0.2}, "dropout of 0.2 would fall on shared tokens once for all rows; set it to 0"),
        ({"attn_logit_softcapping": 30.0}, "attention scores are capped (attn_logit_softcapping)"),
        ({"alibi": True}, "positions are biases of attention (ALiBi)"),
    ],
)
def test_settings_of_a_model_are_refused_by_name(make_model: Any, settings: dict[str, Any], reason: str) -> None:
    assert refusal(make_model("gemma3", **settings)) == reason


def test_adapters_are_refused_for_dropout_and_for_tokens_of_their_own(make_model: Any) -> None:
    dropping = get_peft_model(make_model(), LoraConfig(target_modules="all-linear", lora_dropout=0.1))
    assert refusal(dropping).startswith("dropout of 0.1")
    prompting = get_peft_model(make_model(), PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2))
    assert refusal(prompting).startswith("prompt-learning adapters")
    assert refusal(get_peft_model(make_model(), LoraConfig(target_modules="all-linear"))) == ""


def test_a_rope_that_depends_on_length_limits_rows() -> None:
    rope = {"rope_type": "longrope", "original_max_position_embeddings": 64}
    assert rope_limit({"rope_parameters": rope, "max_position_embeddings": 512}) == 64
    assert rope_limit({"rope_parameters": {"full": {"rope_type": "dynamic"}}, "max_position_embeddings": 512}) == 512
    assert rope_limit({"rope_parameters": {"rope_type": "yarn"}, "max_position_embeddings": 512}) is None


def test_the_longest_row_and_its_neighbours_are_checked() -> None:
    ids = torch.tensor([[5, 5, 5, 0], [1, 2, 0, 0], [1, 2, 3, 4], [1, 2, 3, 0]])
    assert sorted(rows_to_check(ids, (ids > 0).long(), ids, 2).tolist()) == [2, 3]
    assert sorted(rows_to_check(ids, (ids > 0).long(), ids, 9).tolist()) == [0, 1, 2, 3]


def test_rows_without_a_scored_token_are_not_checked() -> None:
    ids = torch.tensor([[1, 2, 3, 4], [1, 2, 3, 5]])
    labels = torch.tensor([[-100] * 4, [-100, -100, 3, -100]])
    assert rows_to_check(ids, torch.ones_like(ids), labels, 4).tolist() == [1]


def test_nan_is_within_no_tolerance() -> None:
    assert Difference(1e-4, 1e-5).within(Allowed(1e-3, 1e-4))
    assert not Difference(float("nan"), float("nan")).within(Allowed(1e-3, 1e-4))


class Neighbourly(torch.nn.Module):
    """Adds to every embedding a little of the one before it: a model with state along the sequence."""

    def __init__(self, embedding: torch.nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, ids_BL: torch.Tensor) -> torch.Tensor:
        """As (B, L, D)."""
        hidden_BLD = self.embedding(ids_BL)
        return hidden_BLD + 0.1 * torch.nn.functional.pad(hidden_BLD, (0, 0, 1, 0))[:, :-1]


def test_a_model_that_reads_neighbours_is_caught_on_the_first_batch_and_trained_the_stock_way(
    make_model: Any, make_batch: Any
) -> None:
    stock, tree = (make_model() for _ in range(2))
    for model in (stock, tree):
        model.set_input_embeddings(Neighbourly(model.get_input_embeddings()))
    lines: list[str] = []
    packing = Packing(TreeOptions(least_sharing=0.0), lines.append)
    install(tree, packing)
    batch = make_batch(0)
    assert torch.equal(stock(**batch.call()).log_probs, tree(**batch.call()).log_probs)
    assert lines == [f"tree packing off: {packing.reason}"] and packing.packed_batches == 0
    assert packing.reason.startswith("4 rows of the first batch differ from the stock path, |Δ log p| at most")


def test_the_check_says_how_far_apart_the_paths_are(make_model: Any, make_batch: Any) -> None:
    lines: list[str] = []
    model, packing = make_model(), Packing(TreeOptions(least_sharing=0.0), lines.append)
    install(model, packing)
    for seed in range(2):
        model(**make_batch(seed).call())
    (line,) = lines
    assert line.startswith("tree packing on: 4 rows agree with the stock path, |Δ log p| at most ")
    assert packing.packed_batches == 2
