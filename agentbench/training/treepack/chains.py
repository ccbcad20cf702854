"""Attention over chains by PyTorch's public attention function: every chain with a copy of its path's keys and values.

Works on any device and for sliding windows. The copies are made again for the backward pass instead of being kept, so
memory grows with one chain's path and not with all of them. On a CPU, layers without a window take `merged` instead.

Dimensions in names: H heads, K key-value heads, N tokens, Q queries of a piece, P keys of its path, D head dimension.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch.nn.attention.bias import causal_lower_right
from torch.nn.functional import scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from agentbench.training.treepack.trie import Chain, Span

SHORTEST_PIECE = 128
"""Queries taken together in a layer with a sliding window, where the window is not longer."""


class Piece(NamedTuple):
    """Consecutive queries and all stretches of keys that they see."""

    queries: Span
    keys: tuple[Span, ...]
    window: int | None

    @property
    def seen(self) -> int:
        """Keys, all stretches together."""
        return sum(span.length for span in self.keys)


def chain_attention(
    query_1HND: torch.Tensor,
    key_1KND: torch.Tensor,
    value_1KND: torch.Tensor,
    chains: Sequence[Chain],
    *,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    """Attention of the chains' tokens to their paths, as (1, N, H, D), zero for other tokens.

    The chains are in the layout's order.
    """
    done: list[torch.Tensor] = []
    reached = 0
    for piece in (piece for chain in chains for piece in pieces(chain, window)):
        done.append(torch.zeros_like(query_1HND[:, :, reached : piece.queries.start]))
        if torch.is_grad_enabled():
            attend = functools.partial(_attend, piece=piece, scale=scale)
            qkv = (query_1HND, key_1KND, value_1KND)
            out_1HQD = cast(torch.Tensor, checkpoint(attend, *qkv, use_reentrant=False, preserve_rng_state=False))
        else:
            out_1HQD = _attend(query_1HND, key_1KND, value_1KND, piece=piece, scale=scale)
        done.append(out_1HQD)
        reached = piece.queries.stop
    done.append(torch.zeros_like(query_1HND[:, :, reached:]))
    return torch.cat(done, 2).transpose(1, 2).contiguous()


def pieces(chain: Chain, window: int | None) -> Iterator[Piece]:
    """The chain as a whole, or, with a sliding window, in lengths that see little more than they need."""
    end = chain.depth + chain.span.length
    length = chain.span.length if window is None else max(window, SHORTEST_PIECE)
    for depth in range(chain.depth, end, length):
        start = chain.span.start + depth - chain.depth
        queries = Span(start, min(start + length, chain.span.stop))
        first = 0 if window is None else max(0, depth - window + 1)
        yield Piece(queries, _between(chain.path, first, depth + queries.length), window)


def _attend(
    query_1HND: torch.Tensor,
    key_1KND: torch.Tensor,
    value_1KND: torch.Tensor,
    *,
    piece: Piece,
    scale: float | None,
) -> torch.Tensor:
    query_1HQD = query_1HND[:, :, slice(*piece.queries)]
    groups = query_1HND.shape[1] // key_1KND.shape[1]
    key_1HPD, value_1HPD = (
        torch.cat([tensor[:, :, slice(*span)] for span in piece.keys], 2).repeat_interleave(groups, 1)
        for tensor in (key_1KND, value_1KND)
    )
    mask_QP = _visible(piece, query_1HND.device)
    return scaled_dot_product_attention(query_1HQD, key_1HPD, value_1HPD, attn_mask=mask_QP, scale=scale)


def _visible(piece: Piece, device: torch.device) -> torch.Tensor:
    """The last query sees the last key, each query before it one key less, and none beyond the window."""
    if piece.window is None:
        return causal_lower_right(piece.queries.length, piece.seen)
    ahead = (
        torch.arange(piece.seen, device=device)[None, :] - torch.arange(piece.queries.length, device=device)[:, None]
    )
    ahead -= piece.seen - piece.queries.length
    return (ahead <= 0) & (ahead > -piece.window)


def _between(path: tuple[Span, ...], first: int, last: int) -> tuple[Span, ...]:
    """The stretches of a path from depth `first` to `last`, which is not included."""
    found = []
    depth = 0
    for span in path:
        start, stop = max(first - depth, 0), min(last - depth, span.length)
        if start < stop:
            found.append(Span(span.start + start, span.start + stop))
        depth += span.length
    return tuple(found)
