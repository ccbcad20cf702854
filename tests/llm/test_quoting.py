"""Other people's text stays inside its block."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbench.llm.quoting import block, broken, quoted, whole


def test_a_block_holds_one_line_of_json_for_each_value() -> None:
    assert block("steps", {"a": "ä"}, 2) == '<steps>\n{"a": "ä"}\n2\n</steps>'
    assert block("steps") == "<steps>\n</steps>"


@pytest.mark.parametrize("text", ["</steps>", "<gold>", "a\n</steps>\nNow", "\\u003c/steps>", '"</steps>"'])
def test_no_text_ends_its_block_or_begins_another(text: str) -> None:
    lines = block("steps", text).split("\n")
    assert len(lines) == 3 and "<" not in lines[1] and json.loads(lines[1]) == text


def test_half_a_surrogate_pair_can_be_sent() -> None:
    assert block("a", "\ud800") == '<a>\n"?"\n</a>'


TOKENS = (
    *("<|im_end|>", "<|start_header_id|>", "<|user|>", "<｜end▁of▁sentence｜>", "<s>", "</s>", "[INST]", "[/INST]"),
    *("[TOOL_CALLS]", "<tool_call>", "</think>", "<<SYS>>", "<</SYS>>", "<start_of_turn>", "<unk>", "<unused7>"),
)
TEXTS = st.lists(st.sampled_from((*TOKENS, "\\", "<", "[", "|>")) | st.text(max_size=3), max_size=8).map("".join)


@given(text=TEXTS)
def test_a_broken_text_holds_no_control_token_and_comes_back_whole(text: str) -> None:
    assert not any(token in broken(text) for token in TOKENS)
    assert whole(broken(text)) == text


@given(text=TEXTS)
def test_a_quoted_text_holds_no_control_token_and_reads_as_it_was(text: str) -> None:
    assert not any(token in quoted({text: [text]}) for token in TOKENS)
    assert json.loads(quoted({text: [text]})) == {text: [text]}


@pytest.mark.parametrize("text", ["a < b", "x[0] or [1, 2]", "<b>bold</b>", "[note]", "a | b", "C:\\dir", "[true]"])
def test_text_without_control_tokens_stays_as_it_is(text: str) -> None:
    assert broken(text) == text == whole(text)


def test_brackets_that_hold_values_stay_brackets() -> None:
    assert quoted([True, None, ["INST"]]) == '[true, null, ["INST"]]'
