"""Where tree packing may be used, and whether it gives what the stock path gives.

What is known to be wrong or unproven is refused by name, before training. What nobody thought of is caught by numbers:
some rows of the first batch are computed both ways.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from agentbench.training.treepack.attention import STOCK
from agentbench.training.treepack.plan import IGNORED
from agentbench.training.treepack.trie import trie_order

KNOWN_LAYERS = {"full_attention", "sliding_attention"}
LENGTH_DEPENDENT_ROPE = {"dynamic", "longrope"}


class Difference(NamedTuple):
    """How far two computations of the same log-probabilities are apart, or may be, in nats per token."""

    largest: float
    mean: float

    def within(self, allowed: Difference) -> bool:
        """Whether this is no more than allowed; never for NaN."""
        return self.largest <= allowed.largest and self.mean <= allowed.mean

    def __str__(self) -> str:
        return f"|Δ log p| at most {self.largest:.1e}, {self.mean:.1e} on average"


class Allowed(Difference):
    """A tolerance."""

    def __str__(self) -> str:
        return f"allowed are {self.largest:.0e} and {self.mean:.0e}"


TOLERANCES = {
    torch.float64: Allowed(1e-9, 1e-10),
    torch.float32: Allowed(1e-3, 1e-4),
    torch.float16: Allowed(0.1, 0.01),
    torch.bfloat16: Allowed(0.5, 0.05),
}
"""Several times what two right computations of a deep model differ by; forgetting the tree costs whole nats."""


def refusal(model: PreTrainedModel | PeftModel) -> str:
    """Why packing may not be used with this model; empty where it may."""
    if isinstance(model, PeftModel):
        if any(config.is_prompt_learning for config in model.peft_config.values()):
            return "prompt-learning adapters put tokens of their own before every row"
        bare = cast(PreTrainedModel, model.get_base_model())
    else:
        bare = model
    config = bare.config.get_text_config().to_dict()
    reasons = (_dropout(model, config), _layers(config), _positions(config), _attention(bare))
    return next(filter(None, reasons), "")


def rope_limit(config: Mapping[str, Any]) -> int | None:
    """The longest row, in tokens, up to which a length-dependent RoPE stays the same; `None` if it never changes."""
    limits = [
        int(rope.get("original_max_position_embeddings") or config["max_position_embeddings"])
        for rope in _ropes(config)
        if rope.get("rope_type") in LENGTH_DEPENDENT_ROPE
    ]
    return min(limits, default=None)


def rows_to_check(ids_BL: torch.Tensor, mask_BL: torch.Tensor, labels_BL: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of up to `count` scored rows that share much: the longest and its neighbours in the trie."""
    kept = mask_BL.cpu().numpy().astype(bool)
    rows = [ids[keep].astype(np.int64) for ids, keep in zip(ids_BL.cpu().numpy(), kept, strict=True)]
    scored = (labels_BL[:, 1:] != IGNORED).any(1).tolist()
    order = [row for row in trie_order(rows) if scored[row]]
    longest = max(range(len(order)), key=lambda place: len(rows[order[place]]))
    first = min(max(0, longest - count // 2), max(0, len(order) - count))
    return torch.tensor(order[first : first + count], device=ids_BL.device)


def difference(stock: Any, tree: Any, labels_BL: torch.Tensor) -> Difference:
    """Between two outputs with `log_probs`, over the scored tokens."""
    scored_BL = labels_BL[:, 1:] != IGNORED
    apart_P = (stock.log_probs - tree.log_probs)[scored_BL].abs()
    return Difference(float(apart_P.max()), float(apart_P.mean()))


def tolerance(model: PreTrainedModel) -> Allowed:
    """What rounding may account for, in the number format that the model computes in."""
    device = model.device.type
    dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else model.dtype
    return TOLERANCES.get(dtype, TOLERANCES[torch.bfloat16])


def _dropout(model: torch.nn.Module, config: Mapping[str, Any]) -> str:
    rates = [module.p for module in model.modules() if isinstance(module, torch.nn.Dropout)]
    rate = max([*rates, float(config.get("attention_dropout") or 0.0)])
    return f"dropout of {rate:g} would fall on shared tokens once for all rows; set it to 0" if rate else ""


def _attention(model: PreTrainedModel) -> str:
    name = model.config._attn_implementation
    if not type(model)._supports_attention_backend:
        return f"{type(model).__name__} has an attention of its own"
    return "" if name == STOCK else f"attn_implementation is {name!r}; set it to {STOCK!r}"


def _layers(config: Mapping[str, Any]) -> str:
    unknown = sorted({*(config.get("layer_types") or ())} - KNOWN_LAYERS)
    if unknown:
        return f"layers of type {', '.join(unknown)} are not known to keep to a tree"
    if config.get("expert_capacity"):
        return "experts of limited capacity leave tokens out by what else is in the batch"
    softcap = config.get("attn_logit_softcapping")
    return "attention scores are capped (attn_logit_softcapping)" if softcap else ""


def _positions(config: Mapping[str, Any]) -> str:
    if config.get("alibi") or config.get("position_embedding_type") == "alibi":
        return "positions are biases of attention (ALiBi)"
    if any(rope.get("mrope_section") for rope in _ropes(config)):
        return "positions have several dimensions (multimodal RoPE)"
    return ""


def _ropes(config: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """RoPE settings of a config: one, or one per layer type."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    nested = [value for value in rope.values() if isinstance(value, Mapping)]
    return nested or [rope]
