"""Kernels over a packed layout against a mask of all pairs, in double precision, forward and backward."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention

from agentbench.training.treepack.chains import chain_attention
from agentbench.training.treepack.masks import block_mask, dense_mask
from agentbench.training.treepack.merged import merged_attention, parts
from agentbench.training.treepack.trie import Trie, build_trie, runs

Tensors = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
HEADS = [(4, 4), (4, 2), (6, 2), (3, 1)]


def random_trie(rng: random.Random, longest: int = 20) -> Trie:
    """Rows over two tokens, so that they fork often."""
    lengths = [rng.randint(1, longest) for _ in range(rng.randint(1, 8))]
    return build_trie([np.array([rng.randrange(2) for _ in range(length)], np.int64) for length in lengths])


def random_qkv(trie: Trie, heads: int, kv_heads: int, dtype: torch.dtype = torch.float64) -> Tensors:
    length = len(trie.token_N)
    return tuple(
        torch.randn(1, length, count, 8, dtype=dtype).transpose(1, 2).requires_grad_()
        for count in (heads, kv_heads, kv_heads)
    )  # type: ignore[return-value]


def by_mask(qkv: Tensors, trie: Trie, window: int | None) -> torch.Tensor:
    mask = dense_mask(trie, window)
    return scaled_dot_product_attention(*qkv, attn_mask=mask, scale=0.5, enable_gqa=True).transpose(1, 2)


def worst(one: torch.Tensor, other: torch.Tensor, inputs: Tensors) -> float:
    """Largest difference of two outputs and of their gradients by the same weights."""
    weights = torch.randn_like(one)
    gradients = zip(torch.autograd.grad(one, inputs, weights), torch.autograd.grad(other, inputs, weights), strict=True)
    return max((a - b).abs().max().item() for a, b in [(one, other), *gradients])


@pytest.mark.parametrize(("heads", "kv_heads"), HEADS)
def test_merged_parts_are_the_attention_to_the_whole_path(heads: int, kv_heads: int) -> None:
    rng = random.Random(heads * 10 + kv_heads)
    torch.manual_seed(0)
    for _ in range(12):
        trie = random_trie(rng)
        qkv = random_qkv(trie, heads, kv_heads)
        assert worst(merged_attention(*qkv, trie.chains, scale=0.5), by_mask(qkv, trie, None), qkv) < 1e-12


@pytest.mark.parametrize("window", [None, 1, 3, 8])
def test_chains_by_public_means_are_the_same_with_any_window(window: int | None) -> None:
    rng = random.Random(window or 0)
    torch.manual_seed(0)
    for heads, kv_heads in HEADS:
        trie = random_trie(rng)
        qkv = random_qkv(trie, heads, kv_heads)
        out = chain_attention(*qkv, trie.chains, scale=0.5, window=window)
        assert worst(out, by_mask(qkv, trie, window), qkv) < 1e-12


@pytest.mark.parametrize("window", [None, 4])
def test_pieces_of_chains_come_out_as_in_the_whole_and_the_rest_is_zero(window: int | None) -> None:
    rng = random.Random(2)
    torch.manual_seed(0)
    for _ in range(10):
        trie = random_trie(rng)
        qkv = random_qkv(trie, 4, 2)
        nodes = np.array(rng.sample(range(len(trie.token_N)), max(1, len(trie.token_N) // 3)))
        some = runs(trie, nodes, gap=2)
        kept = torch.zeros(len(trie.token_N), 1, 1, dtype=torch.float64)
        for piece in some:
            kept[slice(*piece.span)] = 1
        assert kept[nodes].all()
        out = chain_attention(*qkv, some, scale=0.5, window=window)
        assert worst(out, by_mask(qkv, trie, window) * kept, qkv) < 1e-12
        if window is None:
            assert worst(merged_attention(*qkv, some, scale=0.5), by_mask(qkv, trie, None) * kept, qkv) < 1e-12


def test_a_chain_longer_than_a_piece_is_cut_and_stays_the_same() -> None:
    torch.manual_seed(0)
    trie = build_trie([np.arange(300), np.r_[np.arange(150), np.arange(150) + 500]])
    qkv = random_qkv(trie, 2, 1)
    assert worst(chain_attention(*qkv, trie.chains, scale=0.5, window=9), by_mask(qkv, trie, 9), qkv) < 1e-12


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@pytest.mark.parametrize("window", [None, 3])
def test_flex_attention_sees_the_same_tokens(window: int | None) -> None:
    torch.manual_seed(0)
    trie = random_trie(random.Random(5))
    query, key, value = (tensor.detach() for tensor in random_qkv(trie, 4, 2, torch.float32))
    mask = block_mask(trie, window, torch.device("cpu"))
    out = flex_attention(query, key, value, block_mask=mask, scale=0.5, enable_gqa=True)
    assert isinstance(out, torch.Tensor)
    assert (out.transpose(1, 2) - by_mask((query, key, value), trie, window)).abs().max() < 1e-5


def test_who_sees_whom_by_hand() -> None:
    trie = build_trie([np.array([1, 2, 3]), np.array([1, 9])])  # layout: 1 2 3 9
    assert dense_mask(trie, None).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1]]
    assert dense_mask(trie, 2).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [1, 0, 0, 1]]


def test_branches_of_one_fork_are_one_part() -> None:
    trie = build_trie([np.array(row) for row in ([1, 2, 3, 4], [1, 2, 5], [1, 2, 6])])
    whole = [(part.queries, part.keys) for part in parts(trie.chains) if not part.causal]
    assert whole == [((4, 6), (0, 2))]


@pytest.mark.gpu
@pytest.mark.parametrize("window", [None, 9])
def test_kernels_of_a_gpu_see_the_same_tokens(window: int | None) -> None:
    torch.manual_seed(0)
    trie = build_trie([np.arange(300), np.r_[np.arange(150), np.arange(150) + 500], np.r_[np.arange(40), [7, 7]]])
    device = torch.device("cuda")
    query, key, value = (torch.randn(1, heads, len(trie.token_N), 32, device=device) for heads in (8, 2, 2))
    qkv = (query, key, value)
    expected = scaled_dot_product_attention(
        *qkv, attn_mask=dense_mask(trie, window).to(device), scale=0.2, enable_gqa=True
    )
    chains = chain_attention(*qkv, trie.chains, scale=0.2, window=window)
    mask = block_mask(trie, window, device)
    flex = torch.compile(flex_attention, dynamic=True)(*qkv, block_mask=mask, scale=0.2, enable_gqa=True)
    assert isinstance(flex, torch.Tensor)
    for out in (chains, flex.transpose(1, 2)):
        assert (out - expected.transpose(1, 2)).abs().max() < 1e-2  # TF32 rounds to ten bits
