"""Availability × policy × scenario: every cell, its answerability, and its share of a split."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from agentbench.config.env import Availability, Scenario
from agentbench.types import ToolKind
from agentbench.worlds.grid import SHARES, Cell, Share, quotas
from agentbench.worlds.policies import PolicyKind

ROTATIONS = (Fraction(0), Fraction(1, 3), Fraction(2, 3))
BOTH, ONLY_API, ONLY_RAG, NEITHER = list(Availability)[1:]


def test_every_availability_is_crossed_with_every_policy_and_scenario():
    single = [share.cell for share in SHARES if not share.cell.several and share.cell.sourced]
    settings = {(cell.availability, cell.policy, cell.scenario) for cell in single}
    assert settings == set(product((BOTH, ONLY_API, ONLY_RAG, NEITHER), PolicyKind, list(Scenario)[1:]))
    assert len(single) == 96  # 4 × 6 × 4, none twice


def test_shares_add_up_and_a_fifth_has_no_answer():
    assert sum(share.parts for share in SHARES) == 10_000
    assert sum(share.parts for share in SHARES if not share.cell.answerable) == 2000


@pytest.mark.parametrize(
    ("cell", "answerable"),
    [
        (Cell(Scenario.API_BEFORE_RAG, BOTH), True),
        (Cell(Scenario.API_BEFORE_RAG, ONLY_API), False),
        (Cell(Scenario.API, ONLY_API), True),
        (Cell(Scenario.RAG, ONLY_API), False),
        (Cell(Scenario.API, NEITHER), False),
        (Cell(Scenario.RAG, BOTH, PolicyKind.ONLY_RETRIEVER), True),
        (Cell(Scenario.RAG_BEFORE_API, BOTH, PolicyKind.ONLY_RETRIEVER), False),
        (Cell(Scenario.API, BOTH, PolicyKind.TOPIC_NEVER_RETRIEVER), True),
        (Cell(Scenario.RAG, BOTH, PolicyKind.TOPIC_NEVER_RETRIEVER), False),
        (Cell(Scenario.API, ONLY_API, PolicyKind.ONLY_RETRIEVER), False),
        (Cell(Scenario.RAG_BEFORE_API, BOTH, PolicyKind.ELSEWHERE), True),
        (Cell(Scenario.RAG, ONLY_API, PolicyKind.ELSEWHERE), False),
        (Cell(Scenario.API, BOTH, sourced=False), False),
    ],
)
def test_there_is_an_answer_where_every_kind_needed_exists_and_is_allowed(cell: Cell, answerable: bool):
    assert cell.answerable is answerable


def test_several_questions_are_asked_only_where_the_first_has_an_answer():
    first = {
        scenario: ToolKind.RETRIEVER if scenario.value.startswith("rag") else ToolKind.API for scenario in Scenario
    }
    several = [share.cell for share in SHARES if share.cell.several]
    assert all(first[cell.scenario] in cell.usable for cell in several)
    assert {cell.answerable for cell in several} == {True, False}


def test_three_test_splits_of_300_with_rotated_rounding_have_every_cell():
    worlds = [quotas(SHARES, 300, rotation) for rotation in ROTATIONS]
    assert [sum(counts) for counts in worlds] == [300, 300, 300]
    assert min(map(sum, zip(*worlds, strict=True))) >= 1


def test_a_split_of_a_thousand_has_every_cell_by_itself():
    assert min(quotas(SHARES, 1000, Fraction(0))) >= 1


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_a_fifth_of_a_small_split_has_no_answer_either(rotation: Fraction):
    counts = zip(SHARES, quotas(SHARES, 30, rotation), strict=True)
    assert sum(count for share, count in counts if not share.cell.answerable) in (5, 6, 7)


def test_counts_are_the_exact_ones_rounded_up_or_down():
    cell = Cell(Scenario.API)
    shares = (Share(cell, 5), Share(cell, 2), Share(cell, 1), Share(cell, 2))
    # 7 tasks for 10 parts: 3.5, 1.4, 0.7, 1.4 end at 3.5, 4.9, 5.6, 7; whole places passed: 3, 4, 5, 7
    assert quotas(shares, 7, Fraction(0)) == (3, 1, 1, 2)
    # moved on by a half they end at 4, 5.4, 6.1, 7.5
    assert quotas(shares, 7, Fraction(1, 2)) == (4, 1, 1, 1)
