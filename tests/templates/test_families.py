"""What every family must do: say actions so that they can be read back, and refuse what is no action."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.templates import Family, Template
from agentbench.templates.plain import student_deepseek_coder, student_starcoder2
from agentbench.templates.student_granite3 import StudentGranite3
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.student_qwen25 import StudentQwen25
from agentbench.templates.teacher import Teacher
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import Action, CallTools, Final, Malformed, ToolCall

FAMILIES: dict[str, Family] = {
    "tiny": Tiny(),
    "student_qwen3": StudentQwen3(),
    "student_qwen25": StudentQwen25(),
    "student_mistral": StudentMistral(),
    "student_granite3": StudentGranite3(),
    "student_deepseek_coder": student_deepseek_coder(),
    "student_starcoder2": student_starcoder2(),
}

MARKERS = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<|tool_call|>", "[TOOL_CALLS]", "FINAL:", "\nFINAL:"),
    *("<response>", "</response>", "<|im_end|>", "</s>", "<|end_of_text|>", "<|end|>", "<|is|>", "<|call|>", "<\\|"),
    *("CALLS:", "### Response:", "### Instruction:\n", "<|EOT|>", "<|endoftext|>"),
    *('{"tool_calls": [', "\\", "<\\think>", "\n", '"tool_calls"'),
)
TEXT = st.lists(st.sampled_from(MARKERS) | st.text(max_size=4), max_size=5).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
CALLS = st.builds(ToolCall, TEXT.filter(bool), st.dictionaries(TEXT, JSON, max_size=3))

# What a family can say. All: at least one call, names that are not empty, JSON that fits 64 bits. The chat families
# also take blanks around a thought or an answer for layout, and an empty answer for no answer at all.
TRIMMED = TEXT.map(str.strip)
ANY_CALL = st.lists(CALLS, min_size=1, max_size=3).map(tuple)
CHAT = st.builds(CallTools, ANY_CALL, TRIMMED) | st.builds(Final, TRIMMED.filter(bool), TRIMMED)
SAYABLE: dict[str, st.SearchStrategy[Action]] = dict.fromkeys(
    (*(name for name in FAMILIES if name != "tiny"), "teacher"), CHAT
)
SAYABLE["tiny"] = st.builds(CallTools, ANY_CALL, TEXT) | st.builds(Final, TEXT, TEXT)


@pytest.fixture(scope="module")
def templates(tokenizer: Tokenizer) -> Mapping[str, Template]:
    """One of each, over one small tokenizer that knows all their control tokens."""
    return {name: TokenTemplate(family, tokenizer) for name, family in FAMILIES.items()} | {"teacher": Teacher()}


@pytest.mark.parametrize("name", SAYABLE)
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_an_action_is_read_back_as_it_was_said(
    templates: Mapping[str, Template], name: str, data: st.DataObject
) -> None:
    action: Action = data.draw(SAYABLE[name])
    read = templates[name].parse(templates[name].render_action(action))
    assert read == action
    assert orjson.dumps(read) == orjson.dumps(action)  # tells 1 from 1.0 and true


@pytest.mark.parametrize("name", FAMILIES)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_an_action_survives_its_tokens(tokenizer: Tokenizer, name: str, data: st.DataObject) -> None:
    action = data.draw(SAYABLE[name])
    *body, ending = FAMILIES[name].action(action)
    ids = [index for piece in body for index in tokenizer.encode(*piece)]
    assert FAMILIES[name].parse(tokenizer.decode(ids)) == action
    assert ending.control and len(tokenizer.encode(*ending)) == 1 and ending.text == FAMILIES[name].stop[0]


@pytest.mark.parametrize("name", SAYABLE)
@settings(max_examples=150, deadline=None)
@given(text=TEXT)
def test_parsing_never_raises_and_malformed_text_stays_what_it_was(
    templates: Mapping[str, Template], name: str, text: str
) -> None:
    read = templates[name].parse(text)
    if isinstance(read, Malformed):
        assert read.text == text and read.reason and "\n" not in read.reason
        assert templates[name].parse(templates[name].render_action(read)) == read


MALFORMED = {
    "tiny": (
        *("", "Heat", "<|call|>", "<|call|><|arg|>a<|is|>b", "<|call|>f<|arg|>a", "<|call|>f<|json|>1", "<|think|>hm"),
        *("<|call|>f<|arg|>a<|json|>{", "<|call|>f<|arg|>a<|is|>1<|arg|>a<|is|>2", "<|final|>a<|final|>b", "<|end|>"),
    ),
    "student_qwen3": (
        *("", "<tool_call>\n{}", "{}</tool_call>", "<think>hm", '<tool_call>{"name": "f"}</tool_call>', "FINAL:"),
        *("<tool_call>{</tool_call>", '<tool_call>{"arguments": {}}</tool_call>', "<think>\nhm\n</think>\n\n"),
        *('<tool_call>{"name": "f", "arguments": []}</tool_call>', "<tool_call>[]</tool_call>"),
    ),
    "student_mistral": (
        *("", "[TOOL_CALLS]", "[TOOL_CALLS] []", "[TOOL_CALLS] {}", "[TOOL_CALLS] [1]", " FINAL: "),
        *('[TOOL_CALLS] [{"name": "", "arguments": {}}]', '[TOOL_CALLS] [{"name": "f", "arguments": "x"}]'),
    ),
    "student_granite3": (
        *("", "<|tool_call|>", "<|tool_call|>[{}]", "<think>hm", "<response>42", "<think>hm</think>"),
        *('<|tool_call|>[{"name": "f", "arguments": {}}',),
    ),
    "teacher": (
        *("", " \n", '{"content": "", "tool_calls": []}', '{"content": 1, "tool_calls": [{}]}', "FINAL:"),
        *('{"content": "", "tool_calls": [{"name": "f", "arguments": "{"}]}', '{"tool_calls": '),
    ),
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in MALFORMED.items() for text in texts])
def test_what_is_no_action_is_malformed(templates: Mapping[str, Template], name: str, text: str) -> None:
    assert isinstance(templates[name].parse(text), Malformed)


DEEP = '{"name": "f", "arguments": {"a": ' + "[" * 40 + "]" * 40 + "}}"
UNSTORABLE = (DEEP, '{"name": "f", "arguments": {"a": NaN}}', '{"name": "f", "arguments": {"a": "\\ud800"}}')


@pytest.mark.parametrize("call", UNSTORABLE)
def test_arguments_that_records_cannot_hold_are_malformed(templates: Mapping[str, Template], call: str) -> None:
    assert isinstance(templates["student_qwen3"].parse(f"<tool_call>\n{call}\n</tool_call>"), Malformed)
    assert isinstance(templates["teacher"].parse(f'{{"content": "", "tool_calls": [{call}]}}'), Malformed)


@pytest.mark.parametrize("name", ["student_qwen3", "student_mistral", "student_granite3", "teacher"])
def test_a_chat_model_answers_plainly_or_behind_final(templates: Mapping[str, Template], name: str) -> None:
    assert templates[name].parse(" 42\n") == Final("42")
    assert templates[name].parse("FINAL: 42") == Final("42")
    assert templates[name].parse("I counted.\nFINAL: 42") == Final("42", thought="I counted.")
