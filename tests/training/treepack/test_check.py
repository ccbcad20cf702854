"""What is refused by name, and what numbers catch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from peft import LoraConfig, PromptTuningConfig, get_peft_model
from transformers import (
    PreTrainedModel,
    Qwen3_5ForCausalLM,
    Qwen3_5TextConfig,
    Qwen3NextConfig,
    Qwen3NextForCausalLM,
)

from agentbench.training.treepack.attention import tree_attention
from agentbench.training.treepack.check import Allowed, Difference, refusal, rope_limit, rows_to_check
from agentbench.training.treepack.forward import Packing, TreeOptions, install
from agentbench.training.treepack.plan import Layout, pack
from tests.training.treepack.twins import Neighbourly


def test_ordinary_models_are_not_refused(make_model: Any) -> None:
    assert [refusal(make_model(kind)) for kind in ("qwen3", "llama", "mistral", "gemma3", "qwen3_moe", "granite")] == [
        ""
    ] * 6


SMALL: dict[str, Any] = {
    "vocab_size": 20,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 4,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}


@pytest.mark.parametrize(
    "hybrid",
    [
        lambda: Qwen3NextForCausalLM(Qwen3NextConfig(**SMALL, num_experts=2, num_experts_per_tok=1)),
        lambda: Qwen3_5ForCausalLM(Qwen3_5TextConfig(**SMALL)),
    ],
    ids=["qwen3_next", "qwen3_5"],
)
def test_gated_delta_layers_are_refused_by_name(hybrid: Callable[[], PreTrainedModel]) -> None:
    assert refusal(hybrid()) == "layers of type linear_attention are not known to keep to a tree"


@pytest.mark.parametrize("term", ["s_aux", "softcap", "dropout"])
def test_terms_of_attention_that_no_kernel_has_are_refused(make_batch: Any, term: str) -> None:
    batch = make_batch(0)
    (plan,) = pack(batch.input_ids, batch.attention_mask, batch.labels, Layout()).plans
    some = torch.zeros(1, 2, len(plan.ids_N), 8)
    with pytest.raises(NotImplementedError, match=f"attention has {term}"):
        tree_attention(torch.nn.Module(), some, some, some, None, tree=plan, **{term: 0.1})


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"attn_implementation": "eager"}, "attn_implementation is 'eager'; set it to 'sdpa'"),
        ({"attention_dropout": 0.2}, "dropout of 0.2 would fall on shared tokens once for all rows; set it to 0"),
        ({"attn_logit_softcapping": 30.0}, "attention scores are capped (attn_logit_softcapping)"),
        ({"alibi": True}, "positions are biases of attention (ALiBi)"),
        ({"expert_capacity": 8}, "experts of limited capacity leave tokens out by what else is in the batch"),
        (
            {
                "rope_parameters": {
                    "full_attention": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 1, 1]},
                    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
                }
            },
            "positions have several dimensions (multimodal RoPE)",
        ),
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
    assert packing.reason.startswith("4 rows (81 tokens, packed 29) differ from the stock path, |Δ log p| at most")


def test_the_check_says_how_far_apart_the_paths_are(make_model: Any, make_batch: Any) -> None:
    lines: list[str] = []
    model, packing = make_model(), Packing(TreeOptions(least_sharing=0.0), lines.append)
    install(model, packing)
    for seed in range(2):
        model(**make_batch(seed).call())
    (line,) = lines
    # Two paths: the stock one computed 81 tokens, the packed one the 29 that are different.
    assert line.startswith("tree packing on: 4 rows (81 tokens, packed 29) agree with the stock path, |Δ log p| at ")
    assert packing.packed_batches == 2
