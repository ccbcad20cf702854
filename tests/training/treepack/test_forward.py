"""The packed forward pass against TRL's own: the same numbers for every architecture, and nothing leaks."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from transformers import PreTrainedModel

from agentbench.training.treepack.forward import Packing, TreeOptions, fused_head_missing, install
from agentbench.training.treepack.plan import Backend, Layout, pack

KINDS = ("qwen3", "llama", "mistral", "gemma3", "qwen3_moe", "granite")
FIELDS = ("log_probs", "entropy", "mean_logits", "is_top1", "log_sum_sq_probs", "loss", "label_mask")
EXACT = 1e-5
ALWAYS = TreeOptions(least_sharing=0.0, max_packed_tokens=None, check_rows=0)


class Pair(NamedTuple):
    """The same weights twice: TRL's forward and the packed one."""

    stock: PreTrainedModel
    tree: PreTrainedModel
    packing: Packing


def pair(make_model: Any, options: TreeOptions = ALWAYS, **settings: Any) -> Pair:
    packing = Packing(options, lambda line: None)
    tree = make_model(**settings)
    install(tree, packing)
    return Pair(make_model(**settings), tree, packing)


def gradients(model: PreTrainedModel, loss: torch.Tensor) -> torch.Tensor:
    model.zero_grad()
    loss.backward()
    return torch.cat([weight.grad.flatten() for weight in model.parameters() if weight.grad is not None])


def apart(two: Pair, call: dict[str, Any]) -> tuple[float, float]:
    """Largest difference of any output, and the relative difference of all gradients."""
    outputs = two.stock(**call), two.tree(**call)
    fields = [name for name in (*FIELDS, "aux_loss") if outputs[0].get(name) is not None]
    largest = max((outputs[0][name].float() - outputs[1][name].float()).abs().max().item() for name in fields)
    weights_BL = torch.randn(outputs[0].log_probs.shape, generator=torch.Generator().manual_seed(1))
    losses = [
        (output.log_probs * weights_BL).sum() + (0.0 if output.aux_loss is None else output.aux_loss)
        for output in outputs
    ]
    stock, tree = (gradients(model, loss) for model, loss in zip(two[:2], losses, strict=True))
    return largest, ((stock - tree).norm() / stock.norm()).item()


@pytest.mark.parametrize("kind", KINDS)
def test_log_probabilities_statistics_and_gradients_are_the_stock_paths(
    make_model: Any, make_batch: Any, kind: str
) -> None:
    two = pair(make_model, kind=kind)
    for seed in range(3):
        largest, gradient = apart(two, make_batch(seed, left=seed == 2).call())
        assert largest < EXACT and gradient < EXACT
    assert two.packing.packed_batches == 3 and not two.packing.stock_batches


def test_a_routers_auxiliary_loss_weighs_tokens_by_their_rows(make_model: Any, make_batch: Any) -> None:
    two = pair(make_model, kind="qwen3_moe")
    call = make_batch(3).call(output_router_logits=True)
    assert two.stock(**call).aux_loss is not None
    assert max(apart(two, call)) < EXACT


@pytest.mark.parametrize("backend", [Backend.DENSE, Backend.SDPA_CHAIN])
@pytest.mark.parametrize("budget", [None, 25])
def test_backends_and_budgets_give_the_same(
    make_model: Any, make_batch: Any, backend: Backend, budget: int | None
) -> None:
    options = TreeOptions(backend, budget, least_sharing=0.0, check_rows=0)
    two = pair(make_model, options, kind="gemma3")
    batch = make_batch(1)
    assert max(apart(two, batch.call())) < EXACT
    assert two.packing.packed_tokens <= (batch.attention_mask.sum() if budget else 70)


@pytest.mark.parametrize("kind", ["qwen3", "gemma3"])
def test_gradient_checkpointing_computes_the_same_again(make_model: Any, make_batch: Any, kind: str) -> None:
    two = pair(make_model, kind=kind)
    two.tree.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    assert max(apart(two, make_batch(4).call())) < EXACT


def test_without_the_tree_the_packed_rows_come_out_wrong(make_model: Any, make_batch: Any) -> None:
    """The negative control: transformers takes jumps of positions for borders between separate texts."""
    model, batch = make_model(), make_batch(0)
    packed = pack(batch.input_ids, batch.attention_mask, batch.labels, Layout())
    (plan,) = packed.plans
    with torch.no_grad():
        logits_NV = model(input_ids=plan.ids_N[None], position_ids=plan.position_N[None]).logits[0]
        log_prob_S = logits_NV[plan.site_S].log_softmax(-1).gather(1, plan.target_S[:, None])[:, 0]
        apart_BL = packed.spread(log_prob_S) - model(**batch.call()).log_probs
    assert apart_BL.abs().max() > 1


def test_editing_one_branch_leaves_every_other_row_bit_for_bit(make_model: Any, make_batch: Any) -> None:
    two, batch = pair(make_model), make_batch(0, scored=1.0)
    row, place = 2, int(batch.attention_mask[2].sum()) - 2
    edited = batch._replace(input_ids=batch.input_ids.clone())
    edited.input_ids[row, place] = 60 - edited.input_ids[row, place]
    with torch.no_grad():
        before, after = (two.tree(**some.call()).log_probs for some in (batch, edited))
    others = [number for number in range(len(before)) if number != row]
    assert torch.equal(before[others], after[others])
    assert torch.equal(before[row, : place - 1], after[row, : place - 1])
    assert not torch.equal(before[row, place:], after[row, place:])


def test_other_forward_passes_are_left_alone(make_model: Any, make_batch: Any) -> None:
    two, batch = pair(make_model), make_batch(0)
    call = {"input_ids": batch.input_ids, "attention_mask": batch.attention_mask}
    assert torch.equal(two.stock(**call).logits, two.tree(**call).logits)
    loss = [model(**call, labels=batch.labels).loss for model in two[:2]]
    assert torch.equal(*loss)


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"pixel_values": torch.zeros(1)}, "they come with pixel_values"),
        ({"attention_mask": None}, "they have no attention mask"),
    ],
)
def test_batches_of_another_make_go_the_stock_way_visibly(
    make_model: Any, make_batch: Any, more: dict[str, Any], reason: str
) -> None:
    lines: list[str] = []
    model, packing = make_model(), Packing(ALWAYS, lines.append)
    install(model, packing)
    for _ in range(2):
        model(**make_batch(0).call(**more))
    assert [line.partition(" where ")[2].partition(",")[0] for line in lines] == [reason]
    assert packing.stock_batches.total() == 2 and not packing.packed_batches


def test_batches_that_share_too_little_go_the_stock_way(make_model: Any, make_batch: Any) -> None:
    two = pair(make_model, TreeOptions(check_rows=0))
    two.tree(**make_batch(0, rows=1).call())
    assert dict(two.packing.stock_batches) == {"tokens are shared less than 1.3 times": 1}


def test_rows_beyond_the_point_where_rope_changes_go_the_stock_way(make_model: Any, make_batch: Any) -> None:
    rope = {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}
    two = pair(make_model, kind="llama", rope_parameters=rope, max_position_embeddings=20)
    two.tree(**make_batch(0).call())
    assert list(two.packing.stock_batches) == ["rows are longer than 20 tokens, where this model's RoPE changes"]


def test_bfloat16_by_autocast_adds_no_more_than_rounding(make_model: Any, make_batch: Any) -> None:
    two, batch = pair(make_model), make_batch(0)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        apart_BL = (two.stock(**batch.call()).log_probs - two.tree(**batch.call()).log_probs).abs()
    assert apart_BL.mean() < 0.05


def test_a_model_without_trls_fused_head_is_told(make_model: Any) -> None:
    assert not fused_head_missing(make_model())
    bare = make_model()
    del bare.__dict__["forward"]
    assert "no fused_lm_head" in fused_head_missing(bare)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_many_random_trees_come_out_the_same(make_model: Any, make_batch: Any, kind: str) -> None:
    two = pair(make_model, kind=kind)
    for seed in range(40):
        batch = make_batch(seed, rows=2 + seed % 11, trunk=5 + 7 * (seed % 9), left=seed % 3 == 0, scored=seed % 4 / 3)
        largest, gradient = apart(two, batch.call())
        assert largest < 2 * EXACT and gradient < EXACT
