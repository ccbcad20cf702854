"""The attention function that transformers calls: over a packed layout where a plan comes along, stock otherwise.

transformers hands keyword arguments of a forward pass down to every layer's attention, through PEFT and gradient
checkpointing; the plan travels as `tree`. Because each call decides for itself, ordinary forward passes and packed ones
may alternate, and what is computed again in a backward pass is computed as it was at first.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.nn.attention.flex_attention import flex_attention
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from agentbench.training.treepack.chains import chain_attention
from agentbench.training.treepack.masks import block_mask, dense_mask
from agentbench.training.treepack.merged import merged_attention
from agentbench.training.treepack.plan import Backend, Plan
from agentbench.training.treepack.trie import Chain

STOCK = "sdpa"
"""The attention implementation that ordinary forward passes keep."""
NAME = "tree_sdpa"
"""Name of the implementation in transformers."""
UNKNOWN_TERMS = ("softcap", "s_aux", "position_bias", "head_mask")
"""Arguments of attention that change its result and that no backend here has."""


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    tree: Plan | None = None,
    **terms: Any,
) -> tuple[torch.Tensor, None]:
    """Attention output as (1, N, H, D), and no weights; parameters are named as transformers names them.

    Raises:
        NotImplementedError: with a plan, attention has a term or dropout that no backend here has.
    """
    if tree is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **terms)
    unknown = [name for name in UNKNOWN_TERMS if terms.get(name) is not None]
    if unknown or terms.get("dropout"):
        raise NotImplementedError(f"attention has {', '.join(unknown) or 'dropout'}")
    if torch.is_autocast_enabled(query.device.type):
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    window = terms.get("sliding_window")
    deepest = max(chain.depth + chain.span.length for chain in tree.trie.chains)
    scene = _Scene(tree, tree.last if _is_last(module) else tree.trie.chains, query.device)
    scale = terms.get("scaling")
    return _attend((query, key, value), scene, scale, window if window and window < deepest else None), None


class _Scene(NamedTuple):
    """A layout as one layer sees it."""

    plan: Plan
    chains: tuple[Chain, ...]
    """Whose queries are computed, by the backends that can leave others out."""
    device: torch.device


def _attend(
    qkv: tuple[torch.Tensor, torch.Tensor, torch.Tensor], scene: _Scene, scale: float | None, window: int | None
) -> torch.Tensor:
    trie = scene.plan.trie
    match scene.plan.backend:
        case Backend.SDPA_CHAIN if window is None and scene.device.type == "cpu":
            return merged_attention(*qkv, scene.chains, scale=scale)
        case Backend.SDPA_CHAIN:
            return chain_attention(*qkv, scene.chains, scale=scale, window=window)
        case Backend.DENSE:
            mask_NN = _mask(scene.plan, window, lambda: dense_mask(trie, window).to(scene.device))
            out_1HND = scaled_dot_product_attention(*qkv, attn_mask=mask_NN, scale=scale, enable_gqa=True)
        case Backend.FLEX:
            mask = _mask(scene.plan, window, lambda: block_mask(trie, window, scene.device))
            out_1HND = _flex(scene.device.type)(*qkv, block_mask=mask, scale=scale, enable_gqa=True)
    return out_1HND.transpose(1, 2).contiguous()


def _is_last(module: torch.nn.Module) -> bool:
    """Whether no layer comes after this one, as far as the module tells."""
    known: dict[str, Any] = vars(module)
    return "layer_idx" in known and "config" in known and known["layer_idx"] == known["config"].num_hidden_layers - 1


def _mask(plan: Plan, window: int | None, make: Callable[[], Any]) -> Any:
    if window not in plan.masks:
        plan.masks[window] = make()
    return plan.masks[window]


@functools.cache
def _flex(device: str) -> Callable[..., torch.Tensor]:
    """FlexAttention, compiled once for all lengths; as plain PyTorch, forward only, on a CPU."""
    return torch.compile(flex_attention, dynamic=True) if device != "cpu" else flex_attention  # type: ignore[return-value]


AttentionInterface.register(NAME, tree_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
