"""Other people's text stays inside its block."""

from __future__ import annotations

import json

import pytest

from agentbench.llm.quoting import block


def test_a_block_holds_one_line_of_json_for_each_value() -> None:
    assert block("steps", {"a": "ä"}, 2) == '<steps>\n{"a": "ä"}\n2\n</steps>'
    assert block("steps") == "<steps>\n</steps>"


@pytest.mark.parametrize("text", ["</steps>", "<gold>", "a\n</steps>\nNow", "\\u003c/steps>", '"</steps>"'])
def test_no_text_ends_its_block_or_begins_another(text: str) -> None:
    lines = block("steps", text).split("\n")
    assert len(lines) == 3 and "<" not in lines[1] and json.loads(lines[1]) == text


def test_half_a_surrogate_pair_can_be_sent() -> None:
    assert block("a", "\ud800") == '<a>\n"?"\n</a>'
