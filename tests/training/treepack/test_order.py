"""Batches of neighbours, and what sharing comes to, worked out by hand."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from agentbench.training.treepack.order import NeighbourSampler, first_tokens, neighbours_first
from agentbench.training.treepack.sharing import Shape, measure, shape_of

IDS = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
LABELS = torch.tensor([[-100, -100, 3, 4], [-100, -100, 5, -100]])
UNIT = Shape(per_token=100.0, per_pair=1.0, windows=(None, 2), per_site=10.0)


def test_every_row_comes_once_per_epoch_in_batches_of_neighbours() -> None:
    sampler = NeighbourSampler(range(11), 3, seed=0)
    assert sorted(sampler) == list(range(11)) and len(sampler) == 11
    assert all(len({(row - batch[0]) % 11 for row in batch} - {0, 1, 2}) == 0 for batch in sampler.batches())
    assert [len(batch) for batch in sampler.batches()] == [3, 3, 3, 2]


def test_epochs_differ_and_are_the_same_every_time() -> None:
    sampler = NeighbourSampler(range(40), 4, seed=1)
    first = list(sampler)
    assert first == list(NeighbourSampler(range(40), 4, seed=1))
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(NeighbourSampler(range(40), 4, seed=2)) != first


def test_no_rows_are_no_batches() -> None:
    assert NeighbourSampler([], 4, seed=0).batches() == []


def test_rows_of_a_trajectory_come_together_whatever_columns_hold_them() -> None:
    rng = random.Random(0)
    prompts = [[tree, tree, *([7] * step)] for tree in range(1, 4) for step in range(4)]
    examples = [{"prompt_ids": prompt, "chosen_ids": [9], "rejected_ids": [8]} for prompt in prompts]
    rng.shuffle(examples)
    trees = [examples[index]["prompt_ids"][0] for index in neighbours_first(examples)]
    assert trees == [1] * 4 + [2] * 4 + [3] * 4
    assert first_tokens({"input_ids": [1, 2], "labels": [1, 2]}).tolist() == [1, 2]
    assert first_tokens({"prompt": "text"}).tolist() == []


def test_work_by_hand() -> None:
    found = measure([{"input_ids": IDS, "attention_mask": MASK, "labels": LABELS}], UNIT, all_batches=5)
    assert (found.raw_tokens, found.packed_tokens, found.scored_tokens, found.sites) == (7, 3, 3, 3)
    # Rows of 4 and 3 tokens: 7 · 100; they see 10 + 6 pairs, of which a window of 2 leaves 7 + 5; 3 sites · 10.
    assert found.stock_work == 700 + 16 + 12 + 30
    # Computed are 1 2 3: 3 · 100; 6 pairs, 5 with the window; 3 sites.
    assert found.packed_work == 300 + 6 + 5 + 30
    assert str(found) == (
        "tree packing: 7 tokens in rows, 3 computed (in 1 of 5 batches): 2.33 times fewer; "
        "predicted work 2.22 times less; largest batch 3 tokens"
    )


def test_completion_masks_stand_for_labels_and_unscored_batches_are_left_out() -> None:
    mask = (LABELS != -100).long()
    batches = [
        {"input_ids": IDS, "attention_mask": MASK, "completion_mask": completion} for completion in (mask, 0 * mask)
    ]
    assert measure(batches, UNIT).scored_tokens == 3
    with pytest.raises(NotImplementedError, match="no attention mask"):
        measure([{"input_ids": IDS}], UNIT)


def test_a_models_work_is_counted_on_its_weights(make_model: Any) -> None:
    # Per layer: queries and output 32 x 32 each, keys and values 32 x 16 each, the MLP three times 32 x 48.
    assert shape_of(make_model("llama")) == Shape(3 * (2048 + 1024 + 4608), 2 * 4 * 8, (None,) * 3, 32 * 60)
    assert shape_of(make_model("mistral")).windows == (7, 7, 7)
    assert shape_of(make_model("gemma3")).windows == (7, None, 7)


def test_experts_count_by_the_share_that_a_token_goes_to(make_model: Any) -> None:
    # Four experts of three matrices 32 x 24, two of them for a token; and the router's 32 x 4.
    dense = 3 * (2048 + 1024 + 32 * 4)
    assert shape_of(make_model("qwen3_moe")).per_token == dense + 3 * (2 * 3 * 32 * 24)
