"""The cache of a batch as slots: what the model computed for each row's tokens, and which slots are empty.

A row's tokens lie in its slots in order, aligned at the right edge; a mask hides the empty slots before and between
them.

Dimensions: B rows, S slots, H heads of keys and values, D size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn.functional import pad
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from agentbench.llm.hf_prefixes import Layer, Prefix


class Slots(NamedTuple):
    """Some rows' tokens. A forward pass writes into `cache`."""

    cache: DynamicCache
    mask_BS: torch.Tensor
    """1 where there is a token."""

    @property
    def position_BS(self) -> torch.Tensor:
        """How many tokens of its row are before each."""
        return (self.mask_BS.cumsum(-1) - 1).clamp(min=0)

    def followed_by(self, mask_BS: torch.Tensor) -> Slots:
        """With further slots at the right edge, which the next forward pass fills."""
        return Slots(self.cache, torch.cat((self.mask_BS, mask_BS), -1))

    def above(self, other: Slots) -> Slots:
        """These rows and then the other's; both have to be of layers that bear gaps."""
        size = max(self.mask_BS.shape[1], other.mask_BS.shape[1])
        pairs = zip(_layers(self.cache), _layers(other.cache), strict=True)
        joined = [(_above(one.keys, two.keys, size), _above(one.values, two.values, size)) for one, two in pairs]
        mask_BS = torch.cat([pad(mask_BS, (size - mask_BS.shape[1], 0)) for mask_BS in (self.mask_BS, other.mask_BS)])
        return Slots(DynamicCache(joined), mask_BS)

    def only(self, rows: Sequence[int]) -> Slots:
        """Some of the rows."""
        kept_B = torch.tensor(rows, device=self.mask_BS.device)
        self.cache.batch_select_indices(kept_B)
        return Slots(self.cache, self.mask_BS[kept_B])

    def without_margin(self) -> Slots:
        """Without the slots at the left edge that are empty in every row; the layers have to bear gaps."""
        margin = int(self.mask_BS.any(0).int().argmax())
        if not margin:
            return self
        for layer in _layers(self.cache):
            layer.keys, layer.values = layer.keys[:, :, margin:], layer.values[:, :, margin:]
        return Slots(self.cache, self.mask_BS[:, margin:])

    def sequence(self, row: int, length: int) -> list[Layer]:
        """A copy of what was computed for the first `length` tokens of a row, without gaps."""
        places = self.mask_BS[row].nonzero()[:length, 0]
        return [Layer(layer.keys[row][:, places], layer.values[row][:, places]) for layer in _layers(self.cache)]


def slots_of(model: PreTrainedModel, prefixes: Sequence[Prefix]) -> Slots:
    """A row for each prefix; no slots where all are empty."""
    lengths = [prefix.length for prefix in prefixes]
    size = max(lengths, default=0)
    mask = [[0] * (size - length) + [1] * length for length in lengths]
    mask_BS = torch.tensor(mask, dtype=torch.long, device=model.device).reshape(len(prefixes), size)
    if not size:
        return Slots(DynamicCache(config=model.config), mask_BS)
    some = next(prefix.layers for prefix in prefixes if prefix.length)
    stacked = [
        tuple(torch.stack([_right_aligned(prefix, layer, part, size, some) for prefix in prefixes]) for part in (0, 1))
        for layer in range(len(some))
    ]
    return Slots(DynamicCache(stacked), mask_BS)


def bears_gaps(model: PreTrainedModel) -> bool:
    """Whether empty slots between tokens are no different from tokens that are not there.

    They are for attention to all tokens whose distances come from rotary positions. Sliding windows and ALiBi count
    slots, and recurrent layers know of none.
    """
    config = model.config.to_dict()
    layers = DynamicCache(config=model.config).layers
    everywhere = bool(layers) and all(type(layer) is DynamicLayer for layer in layers)
    return everywhere and "rope_parameters" in config and not config.get("alibi")


def _layers(cache: DynamicCache) -> list[Any]:
    """Layers that a forward pass has filled; their types leave open that they may be empty."""
    return cache.layers


def _above(one_BHSD: torch.Tensor, two_BHSD: torch.Tensor, size: int) -> torch.Tensor:
    return torch.cat([pad(part, (0, 0, size - part.shape[2], 0)) for part in (one_BHSD, two_BHSD)])


def _right_aligned(prefix: Prefix, layer: int, part: int, size: int, some: Sequence[Layer]) -> torch.Tensor:
    """Keys (part 0) or values (1) of a prefix in `size` slots; `some` has the shape that an empty prefix lacks."""
    known_HSD = (prefix.layers or some)[layer][part][:, : prefix.length]
    return pad(known_HSD, (0, 0, size - prefix.length, 0))
