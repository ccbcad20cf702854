"""In which order rows are trained on: neighbours in the trie together, and every optimizer step a mix of trees.

Rows of one tree, a trajectory and its branches, share most of their tokens and also resemble each other: a step on one
tree alone would follow that tree. So rows are taken in small groups of neighbours, and a step is made of groups of
eight trees or more, where there are so many. A tree has as many rows in an epoch as it has in the data, and they are
spread over the whole epoch. Larger steps hold larger groups, and save more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch.utils.data import Sampler

from agentbench.training.treepack.trie import Tokens, trie_order

TREE = "tree"
"""Column with the number of the tree that a row belongs to."""
MIXED = 8
"""Trees that an optimizer step holds at least, where the data have so many."""
COLUMNS = ("prompt_ids", "chosen_ids", "completion_ids", "input_ids")
"""Columns of TRL's prepared data sets that make up a row's first tokens, in their order."""

LOOK_AHEAD = 8
"""Groups that wait at most while a step looks for another tree; few, so that a large tree stays spread evenly."""

Rows = Sequence[Mapping[str, Any]]
Trees = list[list[int]]
"""Indices of rows by tree; neighbours in the trie stand side by side."""


class MixedSampler(Sampler[int]):
    """Indices step by step; the same for the same seed and epoch, whatever processes and micro-batches share a step."""

    def __init__(self, trees: Trees, step_rows: int, seed: int) -> None:
        self.trees = trees
        self.step_rows = step_rows
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by accelerate and transformers before every epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return sum(map(len, self.trees))

    def __iter__(self) -> Iterator[int]:
        return iter(mixed_order(self.trees, self.step_rows, (self.seed, self.epoch)))


def trees_of(rows: Rows, tree_of: Sequence[int] | None, step_rows: int) -> Trees:
    """Rows by tree. Where trees are not known, so many neighbours as a step takes of a tree count as one."""
    if tree_of is not None:
        found: dict[int, list[int]] = {}
        for index, tree in enumerate(tree_of):
            found.setdefault(int(tree), []).append(index)
        return [_neighbours(rows, indices) for indices in found.values()]
    size = group_size(MIXED, step_rows)
    order = _neighbours(rows, range(len(rows)))
    return [order[start : start + size] for start in range(0, len(order), size)]


def group_size(trees: int, step_rows: int) -> int:
    """Rows of one tree that a step takes together."""
    return max(1, step_rows // max(1, min(MIXED, trees)))


def mixed_order(trees: Trees, step_rows: int, seed: tuple[int, ...], *, most: int | None = None) -> list[int]:
    """All rows of an epoch, one step's after another's; `most` limits how many of a tree stand together.

    Each tree is cut into groups of neighbours, at another place in every epoch, and its groups are spread evenly.
    """
    rng = np.random.default_rng(seed)
    size = min(group_size(len(trees), step_rows), most or step_rows)
    placed: list[tuple[float, _Group]] = []
    for tree, rows in enumerate(trees):
        first = int(rng.integers(len(rows)))
        turned = [*rows[first:], *rows[:first]]
        pieces = [turned[start : start + size] for start in range(0, len(turned), size)]
        start = rng.random()
        for number, piece in enumerate(rng.permutation(len(pieces)).tolist()):
            placed.append(((number + start) / len(pieces), _Group(tree, pieces[piece])))
    placed.sort(key=lambda entry: entry[0])
    return _dealt([group for _, group in placed], step_rows)


def trees_per_step(tree_of: Sequence[int], order: Sequence[int], step_rows: int) -> int:
    """How many trees the full steps of an order hold at least; of all rows where there is no full step."""
    full = range(0, len(order) - step_rows + 1, step_rows)
    steps = [order[start : start + step_rows] for start in full] or [order]
    return min(len({tree_of[row] for row in step}) for step in steps)


def first_tokens(example: Mapping[str, Any]) -> Tokens:
    """The tokens by which an example is put in order."""
    pieces = [np.asarray(example[name], np.int64) for name in COLUMNS if name in example]
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)


class _Group(NamedTuple):
    """Neighbours of one tree."""

    tree: int
    rows: list[int]


def _neighbours(rows: Rows, indices: Sequence[int]) -> list[int]:
    if len(indices) < 2:
        return list(indices)
    return [indices[place] for place in trie_order([first_tokens(rows[index]) for index in indices])]


def _dealt(groups: Sequence[_Group], step_rows: int) -> list[int]:
    """The groups' rows, in steps."""
    left = deque(groups)
    order: list[int] = []
    while left:
        order += _step(left, step_rows)
    return order


def _step(left: deque[_Group], step_rows: int) -> list[int]:
    """The rows of the next step, taken out of what is left. While others are near, a tree comes once."""
    rows: list[int] = []
    seen: set[int] = set()
    waiting: deque[_Group] = deque()
    last = -1
    while len(rows) < step_rows and (left or waiting):
        look = bool(left) and len(waiting) < LOOK_AHEAD
        group = left.popleft() if look else waiting.popleft()
        if look and group.tree in seen:
            waiting.append(group)
            continue
        rows += group.rows
        last = group.tree
        seen.add(last)
    left.extendleft(reversed(waiting))
    if len(rows) > step_rows:
        left.appendleft(_Group(last, rows[step_rows:]))
    return rows[:step_rows]
