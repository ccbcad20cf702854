"""Attention over chains without copying a single key: parts of a path are attended to apart and put together.

A token's path is a few stretches of the layout. Attention to each stretch gives an output and the logarithm of its
softmax denominator; the outputs, weighted by their share of the common denominator, are the attention to the whole
path (Milakov and Gimelshein 2018, Online normalizer calculation for softmax; Liu et al. 2023, Ring Attention). The
backward pass of a flash kernel needs no more than the common output and denominator, so each stretch's gradients come
from its own kernel call (Dao et al. 2022, FlashAttention, algorithm 4). Only what a flash kernel keeps anyway is kept
for the backward pass, and branches that fork at one token are one call.

The kernels are the two that `torch.nn.functional.scaled_dot_product_attention` runs on a CPU. They are not public and
give the denominator; `chains` is the same attention by public means, for other devices.

Dimensions in names: H heads, K key-value heads, G = H / K, N tokens, D head dimension.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch

from agentbench.training.treepack.trie import Chain, Span

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


class Part(NamedTuple):
    """Queries of one stretch that attend to the keys of one stretch."""

    queries: Span
    keys: Span
    causal: bool
    """The two are one chain, and a token sees those before it; otherwise every query sees every key."""


def parts(chains: Sequence[Chain]) -> tuple[Part, ...]:
    """Every chain to itself, then every chain to each stretch of its ancestors; neighbours that agree are one part."""
    found = [Part(chain.span, chain.span, True) for chain in chains]
    for chain in chains:
        for keys in chain.prefix:
            last = found[-1]
            if not last.causal and last.keys == keys and last.queries.stop == chain.span.start:
                found[-1] = Part(Span(last.queries.start, chain.span.stop), keys, False)
            else:
                found.append(Part(chain.span, keys, False))
    return tuple(found)


def merged_attention(
    query_1HND: torch.Tensor,
    key_1KND: torch.Tensor,
    value_1KND: torch.Tensor,
    chains: Sequence[Chain],
    *,
    scale: float | None,
) -> torch.Tensor:
    """Attention of the chains' tokens to their paths, as (1, N, H, D), zero for other tokens; CPU tensors only."""
    return cast(torch.Tensor, _MergedAttention.apply(query_1HND, key_1KND, value_1KND, parts(chains), scale))


class _MergedAttention(torch.autograd.Function):
    """Queries are seen as G batches of K heads, so grouped keys are shared without being repeated."""

    @staticmethod
    def forward(
        ctx: Any,
        query_1HND: torch.Tensor,
        key_1KND: torch.Tensor,
        value_1KND: torch.Tensor,
        which: tuple[Part, ...],
        scale: float | None,
    ) -> torch.Tensor:
        _, heads, length, size = query_1HND.shape
        kv_heads = key_1KND.shape[1]
        query_GKND = _grouped(query_1HND, kv_heads)
        out_1NHD = query_1HND.new_zeros(1, length, heads, size)
        out_GKND = _grouped(out_1NHD.transpose(1, 2), kv_heads)
        # The kernels keep denominators with the heads innermost.
        lse_GKN = query_1HND.new_empty(
            heads // kv_heads, length, kv_heads, dtype=_denominator(query_1HND.dtype)
        ).transpose(1, 2)
        for part in which:
            queries, keys = slice(*part.queries), slice(*part.keys)
            piece_GKQD, piece_lse_GKQ = _forward(
                query_GKND[:, :, queries],
                _shared(key_1KND[:, :, keys], query_GKND),
                _shared(value_1KND[:, :, keys], query_GKND),
                0.0,
                part.causal,
                scale=scale,
            )
            if part.causal:
                out_GKND[:, :, queries] = piece_GKQD
                lse_GKN[:, :, queries] = piece_lse_GKQ
            else:
                _merge(out_GKND[:, :, queries], lse_GKN[:, :, queries], piece_GKQD, piece_lse_GKQ)
        ctx.save_for_backward(query_1HND, key_1KND, value_1KND, out_1NHD, lse_GKN)
        ctx.which, ctx.scale = which, scale
        return out_1NHD

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> tuple[torch.Tensor | None, ...]:
        query_1HND, key_1KND, value_1KND, out_1NHD, lse_GKN = ctx.saved_tensors
        kv_heads = key_1KND.shape[1]
        query_GKND = _grouped(query_1HND, kv_heads)
        out_GKND = _grouped(out_1NHD.transpose(1, 2), kv_heads)
        grad_GKND = _grouped(grad_outputs[0].contiguous().transpose(1, 2), kv_heads)
        grad_query_1HND = torch.zeros_like(query_1HND)
        grad_query_GKND = _grouped(grad_query_1HND, kv_heads)
        grad_key_1KND, grad_value_1KND = torch.zeros_like(key_1KND), torch.zeros_like(value_1KND)
        for part in ctx.which:
            queries, keys = slice(*part.queries), slice(*part.keys)
            grad_q, grad_k, grad_v = _backward(
                grad_GKND[:, :, queries],
                query_GKND[:, :, queries],
                _shared(key_1KND[:, :, keys], query_GKND),
                _shared(value_1KND[:, :, keys], query_GKND),
                out_GKND[:, :, queries],
                lse_GKN[:, :, queries],
                0.0,
                part.causal,
                scale=ctx.scale,
            )
            grad_query_GKND[:, :, queries] += grad_q
            grad_key_1KND[:, :, keys] += grad_k.sum(0, keepdim=True)
            grad_value_1KND[:, :, keys] += grad_v.sum(0, keepdim=True)
        return grad_query_1HND, grad_key_1KND, grad_value_1KND, None, None


def _merge(
    out_GKQD: torch.Tensor, lse_GKQ: torch.Tensor, piece_GKQD: torch.Tensor, piece_lse_GKQ: torch.Tensor
) -> None:
    """Puts attention to one more stretch into `out` and `lse`, in place."""
    total_GKQ = torch.logaddexp(lse_GKQ, piece_lse_GKQ)
    out_GKQD *= (lse_GKQ - total_GKQ).exp_().to(out_GKQD.dtype).unsqueeze(-1)
    out_GKQD += piece_GKQD * (piece_lse_GKQ - total_GKQ).exp_().to(out_GKQD.dtype).unsqueeze(-1)
    lse_GKQ.copy_(total_GKQ)


def _grouped(tensor_1HND: torch.Tensor, kv_heads: int) -> torch.Tensor:
    """(1, H, N, D) seen as (G, K, N, D): heads that share keys are the ones that follow one another."""
    _, heads, length, size = tensor_1HND.shape
    return tensor_1HND.view(kv_heads, heads // kv_heads, length, size).transpose(0, 1)


def _shared(tensor_1KND: torch.Tensor, query_GKND: torch.Tensor) -> torch.Tensor:
    return tensor_1KND.expand(query_GKND.shape[0], -1, -1, -1)


def _denominator(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
