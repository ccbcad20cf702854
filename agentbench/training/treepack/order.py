"""Which rows meet in a batch: neighbours in the trie, so that there is something to share.

Rows are put in lexicographic order of their tokens, where rows of one trajectory stand together, and cut into batches;
each epoch cuts elsewhere and shuffles the batches, not what is inside them. A batch is then about one trajectory: let
an optimizer step gather eight batches or more, or its gradient follows one trajectory. Every row counts as it would.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Sampler

from agentbench.training.treepack.trie import Tokens, trie_order

COLUMNS = ("prompt_ids", "chosen_ids", "completion_ids", "input_ids")
"""Columns of TRL's prepared data sets that make up a row's first tokens, in their order."""


def neighbours_first(dataset: Sequence[Mapping[str, Any]]) -> list[int]:
    """Indices of the examples of a data set that TRL has tokenized, in trie order.

    Data that must keep its order while training is sorted by this before: KTO estimates a divergence from neighbours.
    """
    return trie_order([first_tokens(example) for example in dataset])


def first_tokens(example: Mapping[str, Any]) -> Tokens:
    """The tokens by which an example is put in order."""
    pieces = [np.asarray(example[name], np.int64) for name in COLUMNS if name in example]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


class NeighbourSampler(Sampler[int]):
    """Indices batch by batch; the same for the same seed and epoch, in every process."""

    def __init__(self, order: Sequence[int], batch_size: int, seed: int) -> None:
        self.order = list(order)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate and transformers before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[int]:
        for batch in self.batches():
            yield from batch

    def batches(self) -> list[list[int]]:
        """This epoch's batches. All are full but the last one."""
        rng = torch.Generator().manual_seed(self.seed * 1_000_003 + self.epoch)
        offset = int(torch.randint(len(self.order), (1,), generator=rng)) if self.order else 0
        turned = self.order[offset:] + self.order[:offset]
        full = len(turned) // self.batch_size
        cut = [turned[start : start + self.batch_size] for start in range(0, full * self.batch_size, self.batch_size)]
        shuffled = [cut[index] for index in torch.randperm(full, generator=rng).tolist()]
        rest = turned[full * self.batch_size :]
        return [*shuffled, rest] if rest else shuffled
