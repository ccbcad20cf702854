"""An answer in words is compared with all cells of all gold rows."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.scoring.vakra_rows import mentions, rows_of, rows_text, same_rows

SHIPS = [["Petrel", 1200], ["Heron", 830.5]]


@pytest.mark.parametrize(
    ("gold", "given"),
    [
        ([["Petrel"]], "The answer is: petrel."),
        ([[100]], "There are 100 ships."),
        ([[100]], '{"count": [100.0]}'),
        ([[830.5]], "830.9"),  # 0.1 % of 830.5 is 0.83, and 0.4 is less
        ([["Petrel"], ["Heron"]], "Heron and Petrel"),
        ([["Petrel"], ["Heron"], ["Tern"]], "Tern, Petrel, and Heron"),
        (["Petrel", "Heron"], "- Heron\n- Petrel"),
        ([["Petrel"], ["Petrel"]], '["Petrel", "petrel"]'),
        ([["Romeo and Juliet"], ["Ash, a tree"]], "Ash, a tree; Romeo and Juliet"),
        (SHIPS, '[["Heron", 830.5], ["Petrel", 1200]]'),
        (SHIPS, '```json\n[{"name": "Petrel", "tons": 1200}, {"name": "Heron", "tons": "830.5"}]\n```'),
        (SHIPS, "1. Petrel, 1200\n2. Heron, 830.5"),
        (SHIPS, "| Heron | 830.5 |\n| Petrel | 1,200 |"),
        ([["Petrel", None]], "Petrel | none"),
        ([[True]], "true"),
        ({"ships": [["Petrel"]]}, "Petrel"),
        ("Petrel", "Petrel"),
        ([], ""),
    ],
)
def test_the_same_rows_in_other_words_are_the_same(gold: Any, given: str) -> None:
    assert same_rows(given, rows_of(gold))


@pytest.mark.parametrize(
    ("gold", "given"),
    [
        ([[100]], "100 ships and 3 boats"),
        ([[100]], "100.4"),
        ([[830.5]], "831.5"),  # 1.0 is more than 0.83
        ([["Petrel"], ["Heron"]], "Petrel"),
        ([["Petrel"]], "Petrel; Heron"),
        ([["Petrel"], ["Petrel"]], "Petrel"),
        (SHIPS, "Petrel; Heron"),
        (SHIPS, "Petrel, 830.5\nHeron, 1200"),
        (SHIPS, "1200, Petrel\n830.5, Heron"),
        ([["Petrel", None]], "Petrel | unknown"),
        ([[1]], "true"),
        ([[None]], ""),
        ([], "Petrel"),
    ],
)
def test_rows_that_lack_or_add_or_swap_anything_are_not(gold: Any, given: str) -> None:
    assert not same_rows(given, rows_of(gold))


def test_a_table_is_said_with_all_its_columns() -> None:
    assert rows_text(rows_of(SHIPS)) == "Petrel | 1200\nHeron | 830.5"
    assert rows_text(rows_of([["Petrel"], ["Heron"]])) == "Petrel; Heron"


def test_a_cell_is_mentioned_as_whole_words_only() -> None:
    rows = rows_of([["Tern"], [1200]])
    assert mentions("I cannot say, perhaps the tern.", rows) and mentions("some 1,200 tons", rows)
    assert not mentions("I cannot determine the pattern.", rows)


def test_a_long_answer_of_blanks_is_read_at_once() -> None:
    assert not same_rows("Petrel" + " \t" * 50_000 + "\n" * 50_000, rows_of([["Petrel"], ["Heron"]]))
