"""The Granite 3.3 layout, spelled out; its own tokenizer and template are not at hand."""

from __future__ import annotations

from agentbench.templates.student_granite3 import StudentGranite3
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

CALL = CallTools((ToolCall("ping", {"host": "a"}),), thought="Try.")


def step(action: CallTools | Final, text: str) -> Step:
    """A step with this action and observation."""
    return Step(Decision(action), Observation(text), StepCategory.OTHER_CALL)


def test_a_conversation_is_laid_out_in_turns_of_roles(tokenizer: Tokenizer) -> None:
    steps = (step(CALL, "pong"), step(Final("Yes"), "And b?"))
    history = History((ToolSpec("ping", "Pings.", {"type": "object"}),), Observation("Is a up?"), steps)
    text = TokenTemplate(StudentGranite3(), tokenizer, "Be brief.").render(history).text
    assert text.startswith(
        "<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n<|start_of_role|>available_"
    )
    assert 'available_tools<|end_of_role|>[\n    {\n        "type": "function",\n        "function": {\n' in text
    assert text.endswith(
        "    }\n]<|end_of_text|>\n<|start_of_role|>user<|end_of_role|>Is a up?<|end_of_text|>\n"
        '<|start_of_role|>assistant<|end_of_role|><think>Try.</think><|tool_call|>[{"name": "ping", "arguments": '
        '{"host": "a"}}]<|end_of_text|>\n<|start_of_role|>tool<|end_of_role|>pong<|end_of_text|>\n'
        "<|start_of_role|>assistant<|end_of_role|>Yes<|end_of_text|>\n"
        "<|start_of_role|>user<|end_of_role|>And b?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
    )


def test_given_turns_are_turns_of_roles_between_tools_and_question(tokenizer: Tokenizer) -> None:
    given = (Exchange("What is a?", "<response>A host."),)
    text = TokenTemplate(StudentGranite3(), tokenizer, "Be brief.").render(
        History((), Observation("Is a up?"), earlier=given)
    )
    assert text.text == (
        "<|start_of_role|>system<|end_of_role|>Be brief.<|end_of_text|>\n"
        "<|start_of_role|>user<|end_of_role|>What is a?<|end_of_text|>\n"
        "<|start_of_role|>assistant<|end_of_role|><\\response>A host.<|end_of_text|>\n"
        "<|start_of_role|>user<|end_of_role|>Is a up?<|end_of_text|>\n<|start_of_role|>assistant<|end_of_role|>"
    )


def test_thinking_answers_are_read_out_of_their_tags() -> None:
    said = "<think>Hm.</think>\n<response>42</response>"
    assert StudentGranite3().parse(said) == Final("42", thought="Hm.")
    assert StudentGranite3().parse("<think>Hm.</think> 42") == Final("42", thought="Hm.")
