"""Code as text: what is written is read again, and the conversation that is made of an episode."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbench.config.agent import CodeForm
from agentbench.llm import Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.policies.callers import Voice
from agentbench.policies.coder import Coder, coder_view, read_code, written
from agentbench.templates.teacher import Teacher
from agentbench.tools.code import PYTHON
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolCall,
)

TEXT_FORMS = (CodeForm.JSON, CodeForm.MARKDOWN)


def code(text: str, thought: str = "") -> CallTools:
    return CallTools((ToolCall("python", {"code": text}),), thought)


def step(action: Action, seen: str, actor: Actor = Actor.EXPERT, said: str = "") -> Step:
    generations = (Generation("agent", said),) if said else ()
    return Step(Decision(action, actor, generations=generations), Observation(seen), StepCategory.OTHER_CALL)


LINES = st.text(st.characters(codec="utf-8", exclude_characters="\r`", exclude_categories=("Cc", "Zs", "Zl", "Zp")))


@pytest.mark.parametrize("form", TEXT_FORMS)
@given(thought=LINES, source=st.lists(LINES.filter(bool), min_size=1).map("\n".join))
def test_code_is_read_as_it_was_written(form: CodeForm, thought: str, source: str) -> None:
    if form is CodeForm.MARKDOWN and "</think>" in thought + source:
        return
    assert read_code(written(code(source, thought), form), form) == code(source, thought)


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_code_that_holds_a_fence_is_read_as_it_was_written(form: CodeForm) -> None:
    action = code('print("""\n```python\nx\n```\n""")', "Show it.")
    assert read_code(written(action, form), form) == action


@pytest.mark.parametrize("form", TEXT_FORMS)
def test_an_answer_in_words_ends_the_work(form: CodeForm) -> None:
    assert read_code(written(Final("Heat"), form), form) == Final("Heat")


UNREADABLE = {
    "no JSON": (CodeForm.JSON, "print(1)"),
    "a list": (CodeForm.JSON, '["print(1)"]'),
    "neither action nor answer": (CodeForm.JSON, '{"thought": "hm"}'),
    "an action that is no text": (CodeForm.JSON, '{"action": {"code": "1"}}'),
    "a block without end": (CodeForm.MARKDOWN, "So:\n```python\nprint(1)"),
}


@pytest.mark.parametrize(("form", "text"), UNREADABLE.values(), ids=UNREADABLE)
def test_other_text_is_malformed_and_kept(form: CodeForm, text: str) -> None:
    read = read_code(text, form)
    assert isinstance(read, Malformed) and read.text == text and read.reason


def test_thoughts_of_a_thinking_model_are_no_part_of_its_step() -> None:
    text = '<think>\n```python\nwrong\n```\n</think>\n{"thought": "", "action": "right"}'
    assert read_code(text, CodeForm.JSON) == code("right")


def test_the_first_of_two_blocks_is_run() -> None:
    assert read_code("a\n```python\n1\n```\nb\n```python\n2\n```", CodeForm.MARKDOWN) == code("1", "a")


def test_an_episode_reads_as_a_conversation_without_tools() -> None:
    said = '{"action":"y","thought":""}'  # in the agent's own spelling
    history = History(
        (PYTHON,), Observation("Pay."), (step(code("x", "First."), "1"), step(code("y"), "2", Actor.AGENT, said))
    )
    view = coder_view(history, CodeForm.JSON)
    prompt = Teacher().render(view)
    assert prompt.tools == () and prompt.messages[0]["content"].endswith("\n\nPay.")
    spoken = [message["content"] for message in prompt.messages[1:]]
    assert spoken == ['{"thought": "First.", "action": "x"}', "1", said, "2"]


def test_the_agent_is_shown_its_form_and_its_text_becomes_the_action() -> None:
    llm = ScriptedLlm(["Look.\n```python\nprint(1)\n```"])
    agent = Coder(Voice(llm, Teacher("Be careful."), Sampling()), CodeForm.MARKDOWN, seed=1)
    decision = asyncio.run(agent.act(History((PYTHON,), Observation("Pay."))))
    assert decision.action == code("print(1)", "Look.")
    assert "one block of Python code" in llm.requests[0].prompt.messages[1]["content"]
