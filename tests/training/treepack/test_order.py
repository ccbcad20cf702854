"""Steps that mix trees, and what sharing comes to, worked out by hand."""

from __future__ import annotations

from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.training.treepack.order import (
    MixedSampler,
    first_tokens,
    group_size,
    mixed_order,
    trees_of,
    trees_per_step,
)
from agentbench.training.treepack.sharing import Shape, measure, shape_of

IDS = torch.tensor([[1, 2, 3, 4], [1, 2, 5, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])
LABELS = torch.tensor([[-100, -100, 3, 4], [-100, -100, 5, -100]])
UNIT = Shape(per_token=100.0, per_pair=1.0, windows=(None, 2), per_site=10.0)


def trees(*sizes: int) -> list[list[int]]:
    """Trees of so many rows each, numbered through."""
    ends = np.cumsum([0, *sizes]).tolist()
    return [list(range(start, end)) for start, end in pairwise(ends)]


def mix(found: list[list[int]], step_rows: int, seed: int) -> int:
    """Trees in the poorest step of an epoch."""
    tree_of = [tree for tree, rows in enumerate(found) for _ in rows]
    return trees_per_step(tree_of, mixed_order(found, step_rows, (seed,)), step_rows)


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(1, 30), st.integers(0, 5))
@settings(max_examples=100, deadline=None)
def test_every_row_comes_once_per_epoch(sizes: list[int], step_rows: int, seed: int) -> None:
    assert sorted(mixed_order(trees(*sizes), step_rows, (seed,))) == list(range(sum(sizes)))


@pytest.mark.parametrize("seed", range(20))
def test_a_step_mixes_eight_trees_or_all_there_are(seed: int) -> None:
    assert mix(trees(*[10] * 12), 16, seed) >= 8
    assert mix(trees(*[10] * 8), 16, seed) == 8
    assert mix(trees(*[10] * 3), 16, seed) == 3
    assert mix(trees(*[6] * 30, 12, 3, 20), 16, seed) >= 8, "trees of unequal size"
    assert mix(trees(*[5] * 40), 4, seed) == 4, "a step of four rows"


def test_a_tree_is_spread_over_the_epoch_as_it_is_in_the_data() -> None:
    # Tree 0 has 60 of 120 rows, so half of any stretch; up to eight groups of one row wait for a later step.
    order = mixed_order(trees(60, *[6] * 10), 8, (0,))
    for end in range(8, 121, 8):
        assert abs(sum(row < 60 for row in order[:end]) - end / 2) <= 9


def test_neighbours_stay_together_and_larger_steps_hold_more_of_them() -> None:
    assert [group_size(20, rows) for rows in (4, 16, 20, 64)] == [1, 2, 2, 8]
    assert group_size(3, 16) == 5 and group_size(0, 16) == 16
    order = mixed_order(trees(*[8] * 16), 64, (3,))
    beside = sum(one + 1 == other and one // 8 == other // 8 for one, other in pairwise(order))
    assert beside >= 16 * (8 - 2), "each tree of eight is cut in two at most"


def test_a_limit_on_neighbours_is_kept() -> None:
    order = mixed_order(trees(*[8] * 16), 64, (3,), most=2)
    runs = [len(list(run)) for _, run in groupby(order, key=lambda row: row // 8)]
    assert max(runs) == 2


def test_epochs_differ_and_are_the_same_every_time() -> None:
    sampler = MixedSampler(trees(*[4] * 10), 4, seed=1)
    first = list(sampler)
    assert len(sampler) == 40 and first == list(MixedSampler(trees(*[4] * 10), 4, seed=1))
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(MixedSampler(trees(*[4] * 10), 4, seed=2)) != first


def test_no_rows_are_no_steps() -> None:
    assert list(MixedSampler([], 4, seed=0)) == []


def test_rows_of_a_tree_come_together_whatever_columns_hold_them() -> None:
    prompts = [[tree, tree, *([7] * step)] for step in (3, 0, 2, 1) for tree in (1, 2)]
    examples = [{"prompt_ids": prompt, "chosen_ids": [9], "rejected_ids": [8]} for prompt in prompts]
    assert trees_of(examples, [1, 2] * 4, 8) == [[0, 4, 6, 2], [1, 5, 7, 3]], "by their tokens, within a tree"
    assert trees_of(examples, None, 32) == [[0, 4, 6, 2], [1, 5, 7, 3]], "32 rows in a step, four of a tree"
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
