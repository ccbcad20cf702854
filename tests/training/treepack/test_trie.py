"""Rows of tokens as a layout: every shared prefix once, chains whole, rows found again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.training.treepack.trie import Span, build_trie, runs, shared_length, split_rows, trie_order

ROWS = st.lists(st.lists(st.integers(0, 2), max_size=9).map(lambda row: np.array(row, np.int64)), max_size=8)


def rows(*texts: str) -> list[np.ndarray]:
    return [np.array([ord(letter) for letter in text], np.int64) for text in texts]


@given(ROWS)
@settings(max_examples=150, deadline=None)
def test_every_prefix_stands_once_and_every_row_is_found_again(given_rows: list[np.ndarray]) -> None:
    trie = build_trie(given_rows)
    prefixes = {tuple(row[: end + 1].tolist()) for row in given_rows for end in range(len(row))}
    assert len(trie.token_N) == len(prefixes)
    node: dict[tuple[int, ...], int] = {}
    for row, nodes in zip(given_rows, trie.nodes, strict=True):
        assert trie.token_N[nodes].tolist() == row.tolist()
        assert trie.depth_N[nodes].tolist() == list(range(len(row)))
        for end, index in enumerate(nodes.tolist()):
            assert node.setdefault(tuple(row[: end + 1].tolist()), index) == index


@given(ROWS, st.integers(1, 12))
@settings(max_examples=100, deadline=None)
def test_groups_hold_every_row_once_and_keep_to_the_budget(given_rows: list[np.ndarray], budget: int) -> None:
    groups = split_rows(given_rows, budget)
    assert sorted(index for group in groups for index in group) == list(range(len(given_rows)))
    sizes = [len(build_trie([given_rows[index] for index in group]).token_N) for group in groups]
    assert all(size <= budget or len(group) == 1 for size, group in zip(sizes, groups, strict=True))


def test_the_longest_row_is_one_chain_and_branches_read_its_beginning() -> None:
    trie = build_trie(rows("abX", "abcdef", "abcYZ"))
    trunk, short, long = trie.chains
    assert (trunk.span, trunk.prefix) == (Span(0, 6), ())
    assert (short.span, short.depth, short.prefix) == (Span(6, 7), 2, (Span(0, 2),))
    assert (long.span, long.depth, long.prefix) == (Span(7, 9), 3, (Span(0, 3),))


def test_a_branch_of_a_branch_reads_both() -> None:
    trie = build_trie(rows("abcdefgh", "abXYZ", "abXQ"))
    assert trie.chains[2].path == (Span(0, 2), Span(8, 9), Span(11, 12))
    assert trie.nodes[2].tolist() == [0, 1, 8, 11]


def test_duplicates_prefixes_and_empty_rows_add_nothing() -> None:
    trie = build_trie(rows("abc", "abc", "ab", ""))
    assert [nodes.tolist() for nodes in trie.nodes] == [[0, 1, 2], [0, 1, 2], [0, 1], []]
    assert len(trie.chains) == 1


def test_runs_are_the_pieces_of_chains_that_hold_some_tokens() -> None:
    trie = build_trie(rows("abcdefgh", "abXYZ"))  # layout: abcdefgh XYZ
    early, late, branch = runs(trie, np.array([9, 1, 2, 7]), gap=3)
    assert (early.span, early.depth, early.prefix) == (Span(1, 3), 1, (Span(0, 1),))
    assert (late.span, late.depth, late.prefix) == (Span(7, 8), 7, (Span(0, 7),))
    assert (branch.span, branch.depth, branch.prefix) == (Span(9, 10), 3, (Span(0, 2), Span(8, 9)))
    assert len(runs(trie, np.array([9, 1, 2, 7]), gap=5)) == 2


def test_rows_with_nothing_in_common_stand_side_by_side() -> None:
    assert [chain.prefix for chain in build_trie(rows("ab", "cd")).chains] == [(), ()]


def test_order_brings_rows_of_one_beginning_together() -> None:
    assert trie_order(rows("bcd", "abc", "bc", "abd")) == [1, 3, 2, 0]


@pytest.mark.parametrize(("one", "other", "length"), [("abc", "abd", 2), ("ab", "abc", 2), ("", "a", 0), ("b", "a", 0)])
def test_shared_length_counts_the_common_prefix(one: str, other: str, length: int) -> None:
    assert shared_length(*rows(one, other)) == length
