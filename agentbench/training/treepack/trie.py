"""Rows of tokens as one packed layout in which every shared prefix stands once.

The layout is a list of chains. The longest row is one chain as a whole; every further row, longest first, adds one
chain with what it does not share with the rows before it. A chain is therefore never split, however many others branch
off it, and a token's ancestors are few contiguous stretches of the layout: what attention kernels want.

Only comparisons of whole rows are done in Python; everything per token is numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]
"""Token ids of a row, not negative."""


class Span(NamedTuple):
    """A stretch of the layout, `start` included and `stop` not."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """Tokens in the stretch."""
        return self.stop - self.start


class Chain(NamedTuple):
    """Consecutive tokens of a path without a fork to the chains before it."""

    span: Span
    """Where its tokens stand in the layout."""
    depth: int
    """Position of its first token in every row that holds it; 0 where the chain begins a row."""
    prefix: tuple[Span, ...]
    """Its ancestors, first token first; `depth` tokens together."""

    @property
    def path(self) -> tuple[Span, ...]:
        """From the first token of a row to the chain's last."""
        return (*self.prefix, self.span)


class Trie(NamedTuple):
    """The packed layout of some rows. Suffix N: nodes, in layout order."""

    token_N: Tokens
    depth_N: NDArray[np.int64]
    """Position of the token in its rows."""
    chains: tuple[Chain, ...]
    nodes: tuple[NDArray[np.int64], ...]
    """For every row the layout index of each of its tokens."""


def build_trie(rows: Sequence[Tokens]) -> Trie:
    """The layout of the rows; duplicates and prefixes of others add nothing.

    Chains follow their parent, and chains that branch off at the same token stand side by side.
    """
    grown, hosts = _grow(rows)
    order = sorted(range(len(grown)), key=lambda index: grown[index].rank)
    starts = np.cumsum([0, *(grown[index].length for index in order)]).tolist()
    paths: dict[int, tuple[Span, ...]] = {}
    for index, start in zip(order, starts, strict=False):
        chain = grown[index]
        prefix = _cut(paths[chain.parent], chain.depth) if chain.depth else ()
        paths[index] = (*prefix, Span(start, start + chain.length))
    chains = tuple(Chain(paths[index][-1], grown[index].depth, paths[index][:-1]) for index in order)
    return Trie(
        token_N=_joined([rows[grown[index].row][grown[index].depth :] for index in order]),
        depth_N=_joined([np.arange(chain.depth, chain.depth + chain.span.length) for chain in chains]),
        chains=chains,
        nodes=tuple(
            _indices(_cut(paths[host], len(row))) if len(row) else _joined([])
            for row, host in zip(rows, hosts, strict=True)
        ),
    )


def runs(trie: Trie, node_S: NDArray[np.int64], gap: int) -> tuple[Chain, ...]:
    """The pieces of chains in which some tokens stand, cut where more than `gap` others stand between them.

    A piece is a chain of its own whose prefix includes the chain's beginning.
    """
    found: list[Chain] = []
    nodes = np.unique(node_S)
    for chain in trie.chains:
        inside = nodes[(nodes >= chain.span.start) & (nodes < chain.span.stop)]
        for piece in np.split(inside, np.flatnonzero(np.diff(inside) > gap) + 1):
            if len(piece):
                before = Span(chain.span.start, int(piece[0]))
                prefix = (*chain.prefix, before) if before.length else chain.prefix
                found.append(Chain(Span(before.stop, int(piece[-1]) + 1), chain.depth + before.length, prefix))
    return tuple(found)


def trie_order(rows: Sequence[Tokens]) -> list[int]:
    """Indices of the rows such that rows which share the longest prefixes are neighbours (lexicographic order)."""
    return sorted(range(len(rows)), key=lambda index: rows[index].astype(">i8").tobytes())


def shared_length(one: Tokens, other: Tokens) -> int:
    """Tokens of the longest common prefix."""
    length = min(len(one), len(other))
    differs = one[:length] != other[:length]
    return int(differs.argmax()) if differs.any() else length


def split_rows(rows: Sequence[Tokens], budget: int) -> list[list[int]]:
    """Indices of the rows in groups whose layouts hold at most `budget` tokens each, neighbours in the trie together.

    Tokens that groups share are computed once per group. A single row longer than the budget is a group of its own.
    """
    groups: list[list[int]] = []
    size = 0
    previous = np.empty(0, np.int64)
    for index in trie_order(rows):
        row = rows[index]
        new = len(row) - shared_length(previous, row)
        if groups and size + new <= budget:
            groups[-1].append(index)
            size += new
        else:
            groups.append([index])
            size = len(row)
        previous = row
    return groups


class _Grown(NamedTuple):
    """A chain before it has its place: the tokens of `row` from `depth` on, below the chain `parent`."""

    row: int
    depth: int
    length: int
    parent: int
    rank: tuple[int, ...]


def _grow(rows: Sequence[Tokens]) -> tuple[list[_Grown], list[int]]:
    """One chain per row that brings new tokens, longest row first; and for every row a chain whose path begins with it.

    An empty row has none: -1.
    """
    lexical = trie_order(rows)
    place = np.empty(len(rows), np.int64)
    place[lexical] = np.arange(len(rows))
    shared = np.array([shared_length(rows[one], rows[other]) for one, other in pairwise(lexical)], np.int64)
    grown: list[_Grown] = []
    host = np.full(len(rows), -1)
    for row in sorted(range(len(rows)), key=lambda index: -len(rows[index])):
        depth, neighbour = _attachment(shared, host, int(place[row]))
        if depth < len(rows[row]):
            parent = _holder(grown, int(host[neighbour]), depth) if depth else -1
            rank = (*(grown[parent].rank if depth else ()), depth, len(grown))
            host[place[row]] = len(grown)
            grown.append(_Grown(row, depth, len(rows[row]) - depth, parent, rank))
        elif len(rows[row]):
            host[place[row]] = host[neighbour]
    return grown, host[place].tolist()


def _attachment(shared: NDArray[np.int64], host: NDArray[np.int64], place: int) -> tuple[int, int]:
    """How much of the row at `place` in lexical order some placed row holds, and that row's place."""
    best, neighbour = 0, -1
    left = np.minimum.accumulate(shared[:place][::-1]) * (host[:place][::-1] >= 0)
    right = np.minimum.accumulate(shared[place:]) * (host[place + 1 :] >= 0)
    for lengths, sign in ((left, -1), (right, 1)):
        if len(lengths) and lengths.max() > best:
            step = int(lengths.argmax())
            best, neighbour = int(lengths[step]), place + sign * (step + 1)
    return best, neighbour


def _holder(grown: list[_Grown], chain: int, depth: int) -> int:
    """The chain on the path of `chain` that holds the token before `depth`."""
    while grown[chain].depth >= depth:
        chain = grown[chain].parent
    return chain


def _cut(path: tuple[Span, ...], length: int) -> tuple[Span, ...]:
    """The first `length` tokens of a path."""
    kept: list[Span] = []
    for span in path:
        if length <= 0:
            break
        kept.append(Span(span.start, min(span.stop, span.start + length)))
        length -= span.length
    return tuple(kept)


def _indices(path: tuple[Span, ...]) -> NDArray[np.int64]:
    return _joined([np.arange(span.start, span.stop) for span in path])


def _joined(pieces: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.concatenate(pieces) if pieces else np.empty(0, np.int64)
