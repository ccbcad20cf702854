"""What packing will save, told before training: tokens, and the work they mean for this model.

Work is counted in multiplications, as usual for transformers (Kaplan et al. 2020, Scaling laws for neural language
models, table 1), with attention over the positions that a token really sees. It leaves out norms, rotations and
everything else that is small, and compares with a stock path that has no padding and scores only what it must. Real
ratios are lower where short chains use a device badly, higher where the stock path pads or scores every token.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from agentbench.training.treepack.plan import IGNORED, Layout, pack


class Shape(NamedTuple):
    """What a model's work depends on, in multiplications."""

    per_token: float
    """Of all layers' projections."""
    per_pair: float
    """Per layer, for a token that sees one token."""
    windows: tuple[int | None, ...]
    """Sliding window of every layer."""
    per_site: float
    """Of the output projection."""


class Work(NamedTuple):
    """Some tokens' share of a forward pass."""

    depth_N: NDArray[np.int64]
    sites: int

    def multiplications(self, shape: Shape) -> float:
        """Of one forward pass; a backward pass takes as many once or twice more, on either path."""
        seen_N = self.depth_N + 1.0
        pairs = sum(float(np.minimum(seen_N, window or np.inf).sum()) for window in shape.windows)
        return shape.per_token * len(seen_N) + shape.per_pair * pairs + shape.per_site * self.sites


class Sharing(NamedTuple):
    """Some batches of a training run, stock and packed."""

    batches: int
    all_batches: int
    raw_tokens: int
    packed_tokens: int
    scored_tokens: int
    sites: int
    """Scored tokens, those that rows share counted once."""
    stock_work: float
    packed_work: float
    largest_batch: int
    """Tokens of the largest packed batch."""

    @property
    def ratio(self) -> float:
        """Tokens of the rows per token that is computed."""
        return self.raw_tokens / max(1, self.packed_tokens)

    @property
    def work_ratio(self) -> float:
        """How many times less is computed; the speed-up to expect at best."""
        return self.stock_work / max(1.0, self.packed_work)

    def __str__(self) -> str:
        part = "" if self.batches == self.all_batches else f" (in {self.batches} of {self.all_batches} batches)"
        return (
            f"tree packing: {self.raw_tokens:,} tokens in rows, {self.packed_tokens:,} computed{part}: "
            f"{self.ratio:.2f} times fewer; predicted work {self.work_ratio:.2f} times less; "
            f"largest batch {self.largest_batch:,} tokens"
        )


def measure(batches: Iterable[Mapping[str, torch.Tensor]], shape: Shape, all_batches: int | None = None) -> Sharing:
    """What packing makes of batches as TRL's collators give them; those without a scored token are left out.

    Raises:
        NotImplementedError: a batch is not made of padded rows.
    """
    counts = [_batch(batch, shape) for batch in batches]
    found = [count for count in counts if count is not None]
    sums = [sum(column) for column in zip(*found, strict=True)] or [0] * 6
    return Sharing(
        len(counts),
        len(counts) if all_batches is None else all_batches,
        *(int(number) for number in sums[:4]),
        *sums[4:6],
        largest_batch=int(max((count[1] for count in found), default=0)),
    )


def shape_of(model: PreTrainedModel) -> Shape:
    """Counted on the weights. Experts count by the share that a token is sent to."""
    config = model.config.get_text_config().to_dict()
    embeddings = model.get_input_embeddings().weight
    backbone = [weight for weight in model.base_model.parameters() if weight is not embeddings]
    experts = config.get("num_experts") or config.get("num_local_experts")
    routed = float(config["num_experts_per_tok"]) / float(experts) if experts else 1.0
    dense = sum(weight.numel() for weight in backbone if weight.dim() == 2)
    expert = sum(weight.numel() for weight in backbone if weight.dim() == 3)
    layers, heads, hidden = (int(config[name]) for name in ("num_hidden_layers", "num_attention_heads", "hidden_size"))
    types = config.get("layer_types") or ["sliding_attention"] * layers
    window = config.get("sliding_window")
    return Shape(
        per_token=dense + routed * expert,
        per_pair=2.0 * heads * int(config.get("head_dim") or hidden // heads),
        windows=tuple(window if kind == "sliding_attention" else None for kind in types),
        per_site=float(hidden * int(config["vocab_size"])),
    )


def _batch(batch: Mapping[str, torch.Tensor], shape: Shape) -> tuple[float, ...] | None:
    if "attention_mask" not in batch:
        raise NotImplementedError("batches have no attention mask, as TRL's own packing makes them")
    ids_BL, mask_BL = batch["input_ids"], batch["attention_mask"]
    labels_BL = batch["labels"] if "labels" in batch else ids_BL.masked_fill(batch["completion_mask"] == 0, IGNORED)
    scored = int((labels_BL[:, 1:] != IGNORED).sum())
    if not scored:
        return None
    packed = pack(ids_BL, mask_BL, labels_BL, Layout())
    stock = Work(np.concatenate([np.arange(length) for length in mask_BL.sum(1).tolist()]), scored)
    sites = sum(len(plan.site_S) for plan in packed.plans)
    tree = Work(np.concatenate([plan.trie.depth_N for plan in packed.plans]), sites)
    work = (stock.multiplications(shape), tree.multiplications(shape))
    return packed.raw_tokens, packed.tokens, scored, sites, *work
