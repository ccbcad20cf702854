"""Our Mistral layout against the model's own chat template."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer as Rust

from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.teacher import Teacher
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.types import (
    CallTools,
    Decision,
    Exchange,
    Final,
    History,
    Observation,
    Step,
    StepCategory,
    ToolCall,
    ToolSpec,
)

TOOLS = (ToolSpec("director_of", "Who directed a film.", {"type": "object", "properties": {}}),)
CALL = CallTools((ToolCall("director_of", {"title": "Amélie"}), ToolCall("director_of", {})))


def past(*steps: tuple[CallTools | Final, str]) -> History:
    """A history of these actions and what was seen after them."""
    made = (Step(Decision(action), Observation(text), StepCategory.OTHER_CALL) for action, text in steps)
    return History(TOOLS, Observation("Who directed Amélie?"), tuple(made))


def message(given: dict[str, Any]) -> dict[str, Any]:
    """A message of the teacher with call ids of nine characters and arguments as objects."""
    if given["role"] == "tool":
        return {**given, "tool_call_id": f"call0000{given['tool_call_id'][-1]}"}
    if "tool_calls" not in given:
        return given
    calls = [
        {"id": f"call0000{index}", "function": {"name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(CALL.calls)
    ]
    return {**given, "tool_calls": calls}


@pytest.fixture
def official(chat_template: Callable[..., str], mistral_folder: Path) -> Callable[[History, str], str]:
    """What the official template makes of a history."""

    def render(history: History, system: str) -> str:
        prompt = Teacher(system).render(history)
        values = {"tools": list(prompt.tools), "bos_token": "<s>", "eos_token": "</s>"}
        return chat_template(mistral_folder, tuple(message(given) for given in prompt.messages), **values)

    return render


def test_the_first_prompt_and_its_ids_are_the_official_ones(
    official: Callable[[History, str], str], mistral_tokenizer: Tokenizer, mistral_folder: Path
) -> None:
    prompt = TokenTemplate(StudentMistral(), mistral_tokenizer, "Be brief.").render(past())
    assert prompt.text == official(past(), "Be brief.")
    rust = Rust.from_file(str(mistral_folder / "tokenizer.json"))
    assert list(prompt.ids) == rust.encode(prompt.text, add_special_tokens=False).ids


@pytest.mark.parametrize("system", ["Be brief.", ""])
def test_the_first_prompt_after_given_turns_and_its_ids_are_the_official_ones(
    official: Callable[[History, str], str], mistral_tokenizer: Tokenizer, mistral_folder: Path, system: str
) -> None:
    given = (Exchange("What is Amélie?", "A film."), Exchange("From when?", "2001; it ran in 2002 too"))
    history = dataclasses.replace(past(), earlier=given)
    prompt = TokenTemplate(StudentMistral(), mistral_tokenizer, system).render(history)
    assert prompt.text == official(history, system)
    rust = Rust.from_file(str(mistral_folder / "tokenizer.json"))
    assert list(prompt.ids) == rust.encode(prompt.text, add_special_tokens=False).ids


def test_without_a_system_text_one_user_turn_is_the_official_one(
    official: Callable[[History, str], str], mistral_tokenizer: Tokenizer
) -> None:
    history = past((CALL, '{"director": ["Jean-Pierre Jeunet"]}'))
    assert TokenTemplate(StudentMistral(), mistral_tokenizer).render(history).text == official(history, "")


def test_in_later_user_turns_only_the_place_of_the_tools_differs(
    official: Callable[[History, str], str], mistral_tokenizer: Tokenizer
) -> None:
    history = past((CALL, "[]"), (Final("Jeunet"), "And Heat?"))
    ours = TokenTemplate(StudentMistral(), mistral_tokenizer).render(history).text
    declared = ours[len("<s>") : ours.index("[INST]")]
    assert ours.replace(declared, "").replace("[INST] And", f"{declared}[INST] And") == official(history, "")


def test_a_result_that_is_not_json_is_quoted(mistral_tokenizer: Tokenizer) -> None:
    template = TokenTemplate(StudentMistral(), mistral_tokenizer)
    shown = template.render(past((CallTools(CALL.calls[:1]), 'no "film" {'))).text
    assert shown.endswith('[TOOL_RESULTS] {"content": "no \\"film\\" {", "call_id": "call00000"}[/TOOL_RESULTS]')
