"""Is an answer in words the same as gold rows? A yes is certain; a no only says that words alone do not settle it.

Gold is a table: rows of cells. Rows have no order, but each counts as often as it occurs; cells keep their places.
Whole numbers must be equal, others within 0.1 %, as in `scoring/answers`; texts are equal after its normalisation;
an empty cell is `none` or `null`. An answer is read as JSON, as lines or `;`-separated rows with cells between `|`,
tabs or commas, and for a single column as a list in a sentence ("a, b and c"). A single number may stand in a
sentence that holds no other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import orjson

from agentbench.scoring.answers import RELATIVE_TOLERANCE, answer_is_right, normalise
from agentbench.types import Answer, AnswerType

Row = tuple[Any, ...]
"""Cells that are JSON values; those of an answer in words are texts."""

_LEAD = re.compile(r"^\s*(?:the )?(?:final )?answer(?: is)?\s*:?\s*", re.IGNORECASE)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d)")
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)])\s+")
_LINES = re.compile(r"[;\n]")
_ITEMS = re.compile(r",? and |,")
_CELLS = (re.compile(r"[|\t]"), re.compile(r","))


def rows_of(value: Any) -> list[Row]:
    """A gold answer as rows: a plain list is a column, an object with one list in it is that list."""
    match value:
        case None:
            return []
        case dict() if len(value) == 1 and isinstance(only := next(iter(value.values())), list):
            return rows_of(only)
        case list():
            return [_row(item) for item in value]
        case _:
            return [_row(value)]


def rows_text(rows: Sequence[Row]) -> str:
    """Rows in words: a column joined by `; `, a table with a line per row and ` | ` between cells."""
    if all(len(row) == 1 for row in rows):
        return "; ".join(str(row[0]) for row in rows)
    return "\n".join(" | ".join(str(cell) for cell in row) for row in rows)


def same_rows(given: str, gold: Sequence[Row]) -> bool:
    """Whether an answer in words holds exactly the gold rows, none of which may be missing or more."""
    text = _LEAD.sub("", _unfenced(given))
    if len(gold) == 1 and len(gold[0]) == 1 and _same_value(text, gold[0][0]):
        return True
    return any(_equal(gold, reading) for reading in _readings(text, {len(row) for row in gold}))


def mentions(given: str, gold: Sequence[Row]) -> bool:
    """Whether any gold cell's text stands in the answer, whatever is said about it."""
    words = f" {normalise(_THOUSANDS.sub('', given))} "
    return any(f" {normalise(str(cell))} " in words for row in gold for cell in row)


def _unfenced(given: str) -> str:
    text = given.strip()
    if text.startswith("```") and text.endswith("```"):
        return text[3:-3].partition("\n")[2]
    return text


def _row(item: Any) -> Row:
    match item:
        case list():
            return tuple(item)
        case dict():
            return tuple(item.values())
        case _:
            return (item,)


def _same_value(text: str, gold: Any) -> bool:
    if isinstance(gold, (int, float)) and not isinstance(gold, bool):
        return answer_is_right(text, Answer(AnswerType.NUMBER, float(gold)))
    return _same_cell(gold, text)


def _readings(text: str, widths: set[int]) -> Iterator[list[Row]]:
    with suppress(orjson.JSONDecodeError):
        yield rows_of(orjson.loads(text))
    lines = [_BULLET.sub("", line).strip() for line in _LINES.split(text) if line.strip()]
    if widths == {1}:
        yield [(line,) for line in lines]
        plain = [" ".join(line.split()) for line in lines]
        yield [(item.strip(),) for line in plain for item in _ITEMS.split(line) if item.strip()]
    for separator in _CELLS:
        yield [tuple(cell.strip() for cell in separator.split(line.strip("| "))) for line in lines]


def _equal(gold: Sequence[Row], given: list[Row]) -> bool:
    """Whether both hold the same rows equally often; rows are paired off greedily."""
    if len(gold) != len(given):
        return False
    left = list(given)
    for row in gold:
        found = next((index for index, other in enumerate(left) if _same_row(row, other)), None)
        if found is None:
            return False
        del left[found]
    return True


def _same_row(gold: Row, given: Row) -> bool:
    return len(gold) == len(given) and all(_same_cell(*pair) for pair in zip(gold, given, strict=True))


def _same_cell(gold: Any, given: Any) -> bool:
    match gold:
        case None:
            return given is None or str(given).strip().casefold() in ("none", "null")
        case bool():
            return str(given).strip().casefold() == str(gold).casefold()
        case int() | float():
            return not isinstance(given, bool) and _same_number(gold, given)
        case _:
            return normalise(str(given)) == normalise(str(gold))


def _same_number(gold: float, given: Any) -> bool:
    try:
        value = float(str(given).replace(",", ""))
    except ValueError:
        return False
    return value == gold if float(gold).is_integer() else abs(value - gold) <= RELATIVE_TOLERANCE * abs(gold)
