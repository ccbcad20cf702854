"""Our Qwen3 layout against the model's own chat template."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Rust

from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.teacher import Teacher
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    Exchange,
    Final,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolCall,
    ToolSpec,
)

SCHEMA = {"type": "object", "properties": {"title": {"type": "string", "description": "Film's “title”"}}}
TOOLS = (ToolSpec("director_of", 'The "director" of a film.', SCHEMA), ToolSpec("ping", "Nothing.", {"type": "object"}))
CALL = CallTools((ToolCall("director_of", {"title": "Amélie"}), ToolCall("ping", {})), thought="I look it up.")


def past(*steps: tuple[Action, str], tools: tuple[ToolSpec, ...] = TOOLS) -> History:
    """A history of these actions and what was seen after them."""
    made = (Step(Decision(action), Observation(text), StepCategory.OTHER_CALL) for action, text in steps)
    return History(tools, Observation("Who directed Amélie?"), tuple(made))


def messages(history: History) -> tuple[dict[str, Any], ...]:
    """The same conversation for the official template; one tool message per observation, thoughts in their field."""
    kept: list[dict[str, Any]] = []
    for message in Teacher("Be brief.").render(history).messages:
        if "tool_calls" in message:
            message = {**message, "content": "", "reasoning_content": message["content"]}
        if message["role"] != "tool" or kept[-1]["role"] != "tool":
            kept.append(message)
    return tuple(kept)


@pytest.fixture
def official(chat_template: Callable[..., str], qwen_folder: Path) -> Callable[..., str]:
    """What the official template makes of a history."""

    def render(history: History, **values: object) -> str:
        return chat_template(qwen_folder, messages(history), tools=list(Teacher().render(history).tools), **values)

    return render


@pytest.fixture
def ours(qwen_tokenizer: Tokenizer) -> TokenTemplate:
    """Our template, thinking."""
    return TokenTemplate(StudentQwen3(), qwen_tokenizer, "Be brief.")


@pytest.mark.parametrize("tools", [TOOLS, ()])
@pytest.mark.parametrize("thinking", [True, False])
def test_the_first_prompt_is_the_official_one(
    official: Callable[..., str], qwen_tokenizer: Tokenizer, thinking: bool, tools: tuple[ToolSpec, ...]
) -> None:
    ours = TokenTemplate(StudentQwen3(thinking), qwen_tokenizer, "Be brief.")
    assert ours.render(past(tools=tools)).text == official(past(tools=tools), enable_thinking=thinking)


GIVEN = (Exchange("What is Amélie?", "A film."), Exchange("From when?", "2001; it ran in 2002 too"))


@pytest.mark.parametrize("tools", [TOOLS, ()])
@pytest.mark.parametrize("thinking", [True, False])
def test_the_first_prompt_after_given_turns_and_its_ids_are_the_official_ones(
    official: Callable[..., str],
    qwen_tokenizer: Tokenizer,
    qwen_folder: Path,
    thinking: bool,
    tools: tuple[ToolSpec, ...],
) -> None:
    history = dataclasses.replace(past(tools=tools), earlier=GIVEN)
    prompt = TokenTemplate(StudentQwen3(thinking), qwen_tokenizer, "Be brief.").render(history)
    assert prompt.text == official(history, enable_thinking=thinking)
    rust = Rust.from_file(str(qwen_folder / "tokenizer.json"))
    assert list(prompt.ids) == rust.encode(prompt.text, add_special_tokens=False).ids


def test_after_given_turns_too_every_prompt_of_the_open_turn_is_the_official_one(
    official: Callable[..., str], ours: TokenTemplate
) -> None:
    history = dataclasses.replace(past((CALL, '{"director": ["Jean-Pierre Jeunet"]}')), earlier=GIVEN)
    assert ours.render(history).text == official(history)


def test_within_one_user_turn_every_prompt_and_its_ids_are_the_official_ones(
    official: Callable[..., str], ours: TokenTemplate, qwen_folder: Path
) -> None:
    history = past((CALL, '{"director": ["Jean-Pierre Jeunet"]}'), (CallTools((ToolCall("ping", {}),)), "pong"))
    text = official(history)
    assert ours.render(history).text == text
    rust = Rust.from_file(str(qwen_folder / "tokenizer.json"))
    assert list(ours.render(history).ids) == rust.encode(text, add_special_tokens=False).ids


def test_in_later_user_turns_only_the_dropped_thoughts_differ(
    official: Callable[..., str], ours: TokenTemplate
) -> None:
    history = past((CALL, "[]"), (Malformed("hm", "?"), "Call a tool."), (CALL, "[]"), (Final("Jeunet"), "And Heat?"))
    assert ours.render(history).text.replace("<think>\nI look it up.\n</think>\n\n", "") == official(history)


def test_without_thinking_only_the_dropped_empty_thoughts_differ(
    official: Callable[..., str], qwen_tokenizer: Tokenizer
) -> None:
    ours = TokenTemplate(StudentQwen3(thinking=False), qwen_tokenizer, "Be brief.")
    history = past((CallTools((ToolCall("ping", {}),)), "pong"))
    text = ours.render(history).text
    assert text.replace("<think>\n\n</think>\n\n", "", 1) == official(history, enable_thinking=False) != text


def test_words_beside_a_call_are_thought() -> None:
    text = 'I see.\n<tool_call>\n{"name": "ping", "arguments": {}}\n</tool_call>\nDone.'
    assert StudentQwen3().parse(text) == CallTools((ToolCall("ping", {}),), thought="I see.\n\nDone.")


@pytest.mark.parametrize("action", [CALL, Final("Jeunet", thought="I know.")])
def test_without_thinking_an_experts_thought_is_ordinary_text(qwen_tokenizer: Tokenizer, action: Action) -> None:
    ours = TokenTemplate(StudentQwen3(thinking=False), qwen_tokenizer)
    text = ours.render_action(action)
    assert "<think>" not in text and ours.parse(text) == action
