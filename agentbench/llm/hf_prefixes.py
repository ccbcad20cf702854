"""What a model computed for the beginnings of prompts, kept for the next prompt that begins alike.

Prompts of an episode grow by appending, and prompts of a domain may begin with the same tools, so most of a prompt has
been computed before. Kept are keys and values of whole sequences; a sequence is found by any of its first blocks of
`BLOCK` tokens, and then used as far as it agrees with the prompt, token by token.

Dimensions: H heads of keys and values, S tokens of a sequence, D size of a head.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple

import torch

BLOCK = 16
"""Shorter agreements are not looked for."""

Ids = tuple[int, ...]


class Layer(NamedTuple):
    """What one attention layer computed for the tokens of one sequence."""

    keys_HSD: torch.Tensor
    values_HSD: torch.Tensor


class Prefix(NamedTuple):
    """The known beginning of a prompt: its length in tokens, and the layers, which may hold more than that."""

    length: int
    layers: Sequence[Layer] = ()


NOTHING = Prefix(0)


class Prefixes:
    """The sequences used last, within a limit of memory; for one thread at a time."""

    def __init__(self, limit_bytes: int) -> None:
        """A limit of 0 keeps nothing."""
        self.limit = limit_bytes
        self._size = 0
        self._numbers = count()
        self._sequences: OrderedDict[int, _Sequence] = OrderedDict()
        self._by_block: dict[int, dict[int, None]] = {}

    def longest(self, prompt: Ids) -> Prefix:
        """What is known of a prompt; never the whole, because its last token has to be computed."""
        number = self._find(prompt)
        if number is None:
            return NOTHING
        self._sequences.move_to_end(number)
        found = self._sequences[number]
        return Prefix(min(_shared(found.ids, prompt), len(prompt) - 1), found.layers)

    def keep(self, ids: Ids, layers: Sequence[Layer]) -> None:
        """Keeps a sequence, in place of one that it goes on with; the tensors are not copied."""
        sequence = _Sequence(ids, tuple(layers))
        if len(ids) < BLOCK or sequence.size > self.limit:
            return
        number = self._find(ids)
        if number is not None:
            known = self._sequences[number].ids
            shared = _shared(known, ids)
            if shared == len(ids):
                return
            if shared == len(known):
                self._drop(number)
        self._add(next(self._numbers), sequence)
        while self._size > self.limit:
            self._drop(next(iter(self._sequences)))

    def _find(self, ids: Ids) -> int | None:
        """The latest sequence among those that share most blocks."""
        number = None
        for block in _blocks(ids):
            sharing = self._by_block.get(block)
            if not sharing:
                break
            number = next(reversed(sharing))
        return number

    def _add(self, number: int, sequence: _Sequence) -> None:
        self._sequences[number] = sequence
        self._size += sequence.size
        for block in _blocks(sequence.ids):
            self._by_block.setdefault(block, {})[number] = None

    def _drop(self, number: int) -> None:
        sequence = self._sequences.pop(number)
        self._size -= sequence.size
        for block in _blocks(sequence.ids):
            sharing = self._by_block[block]
            del sharing[number]
            if not sharing:
                del self._by_block[block]


class _Sequence(NamedTuple):
    ids: Ids
    layers: tuple[Layer, ...]

    @property
    def size(self) -> int:
        return sum(tensor.nbytes for layer in self.layers for tensor in layer)


def _blocks(ids: Ids) -> Iterator[int]:
    """A hash of the first block, of the first two, and so on."""
    so_far = 0
    for end in range(BLOCK, len(ids) + 1, BLOCK):
        so_far = hash((so_far, ids[end - BLOCK : end]))
        yield so_far


def _shared(one: Ids, other: Ids) -> int:
    """How many first tokens are the same."""
    shorter = min(len(one), len(other))
    if one[:shorter] == other[:shorter]:  # nearly always, and at the speed of C
        return shorter
    return next(place for place in range(shorter) if one[place] != other[place])
