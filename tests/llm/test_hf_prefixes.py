"""What is kept of prompts: found by their beginnings, within a limit of memory."""

from __future__ import annotations

import torch

from agentbench.llm.hf_prefixes import BLOCK, NOTHING, Layer, Prefixes

TOKEN_BYTES = 2 * 2 * 3 * 8
"""Keys and values of 2 heads of size 3 in float64."""


def computed(ids: tuple[int, ...]) -> list[Layer]:
    """One layer, in which every token's keys and values are the token itself."""
    part = torch.tensor(ids, dtype=torch.float64)[None, :, None].expand(2, -1, 3).clone()
    return [Layer(part, part)]


def holding(*sequences: tuple[int, ...], tokens: int = 1000) -> Prefixes:
    prefixes = Prefixes(tokens * TOKEN_BYTES)
    for ids in sequences:
        prefixes.keep(ids, computed(ids))
    return prefixes


OPENING = tuple(range(40))


def test_a_prompt_is_known_as_far_as_it_agrees() -> None:
    found = holding((*OPENING, 7, 7, 7)).longest((*OPENING, 7, 8, 8))
    assert found.length == 41
    assert found.layers[0].keys_HSD[0, :41, 0].tolist() == [*OPENING, 7]


def test_the_last_token_of_a_prompt_is_never_known() -> None:
    assert holding(OPENING).longest(OPENING).length == 39
    assert holding(OPENING).longest(OPENING[:20]).length == 19


def test_what_differs_within_the_first_block_is_not_known() -> None:
    assert holding(OPENING).longest((99, *OPENING)) is NOTHING
    assert holding(OPENING[: BLOCK - 1]).longest(OPENING) is NOTHING


def test_a_sequence_takes_the_place_of_its_beginning() -> None:
    longer = (*OPENING, *range(50, 60))
    prefixes = holding(OPENING, longer, tokens=50)
    assert prefixes.longest((*longer, 1)).length == 50
    assert prefixes.longest((*OPENING, 99)).length == 40


def test_the_beginning_of_a_known_sequence_is_not_kept_again() -> None:
    prefixes = holding(OPENING, OPENING[:20], tokens=45)
    assert prefixes.longest((*OPENING, 1)).length == 40


def test_the_sequence_that_was_not_used_for_longest_goes_first() -> None:
    one, two, three = ((start, *OPENING[1:]) for start in (100, 200, 300))
    prefixes = holding(one, two, tokens=80)
    assert prefixes.longest((*one, 1)).length == 40
    prefixes.keep(three, computed(three))
    assert [prefixes.longest((*ids, 1)).length for ids in (one, two, three)] == [40, 0, 40]


def test_a_shared_opening_outlives_the_sequence_it_was_first_seen_in() -> None:
    one, two, three = ((*OPENING, *range(start, start + 20)) for start in (100, 200, 300))
    prefixes = holding(one, two, tokens=120)
    prefixes.keep(three, computed(three))
    assert prefixes.longest((*OPENING, 1)).length == 40
    assert prefixes.longest((*one, 1)).length == 40 and prefixes.longest((*two, 1)).length == 60


def test_nothing_is_kept_where_there_is_no_room() -> None:
    assert holding(OPENING, tokens=39).longest((*OPENING, 1)) is NOTHING
    assert holding(OPENING, tokens=0).longest((*OPENING, 1)) is NOTHING
