from __future__ import annotations

import math

import pytest

from agentbench.errors import ToolError
from agentbench.tools.sql.values import Given, brief, comparable, number, observation, shown, text


@pytest.mark.parametrize(
    ("given", "found"),
    [("2013", 2013), (" -4.5 ", -4.5), (".5", 0.5), ("1e3", 1000.0), (7, 7), (2.5, 2.5), ("9" * 30, float("9" * 30))],
)
def test_numbers_are_read_as_such_or_as_they_are_spelled(given: Given, found: float) -> None:
    assert number(given) == found


@pytest.mark.parametrize(
    "given", ["", "abc", "1_000", "nan", "inf", "1e999", "0x10", "１", "9" * 400, math.nan, math.inf]
)
def test_what_is_no_finite_number_is_none(given: Given) -> None:
    assert number(given) is None


def test_a_number_column_takes_spelled_numbers_and_refuses_words() -> None:
    assert comparable("7.5", "rating", "REAL") == 7.5
    with pytest.raises(ToolError, match=r"'rating' holds numbers and 'good' is not a finite number"):
        comparable("good", "rating", "REAL")


def test_a_text_column_takes_numbers_as_text_and_refuses_booleans() -> None:
    assert [comparable(value, "zip", "TEXT") for value in (2013, 2013.0, 7.5)] == ["2013", "2013", "7.5"]
    with pytest.raises(ToolError, match="'zip' holds text and True is not text"):
        comparable(True, "zip", "TEXT")


def test_long_text_bytes_and_infinities_are_shown_as_json_can_hold_them() -> None:
    assert shown("x" * 2001) == "x" * 2000 + "… (2,001 characters)"
    assert shown(b"\x00\x01") == "2 bytes"
    assert [shown(math.inf), shown(-math.inf), shown(None), shown(2.5)] == ["inf", "-inf", None, 2.5]


def test_quoted_values_are_short_and_can_be_encoded() -> None:
    assert brief("\ud800") == r"'\ud800'"
    assert len(brief("x" * 1000)) == 81


def test_results_are_compact_json_with_letters_kept() -> None:
    assert observation({"title": ["Amélie"]}).text == '{"title":["Amélie"]}'
    with pytest.raises(ToolError, match="cannot be written as JSON"):
        observation({"title": ["\ud800"]})


def test_whole_floats_read_like_integers() -> None:
    assert [text(3.0), text(1e30), text("a")] == ["3", "1e+30", "a"]
