"""One episode on a terminal; what others wrote is shown and never obeyed."""

from __future__ import annotations

import dataclasses
import io

import pytest
from rich.console import Console

from agentbench.reporting.plain import harmless, one_line, plain
from agentbench.reporting.trajectory_view import LONGEST, trajectory_view
from agentbench.types import (
    Actor,
    Alternative,
    Branch,
    CallTools,
    EndReason,
    Final,
    Observation,
    StepCategory,
    ToolCall,
    Trajectory,
)

from .made_runs import episode, task


def shown(trajectory: Trajectory) -> str:
    screen = io.StringIO()
    Console(file=screen, width=120, force_terminal=False).print(trajectory_view(trajectory))
    return screen.getvalue()


def with_first_step(trajectory: Trajectory, **changes: object) -> Trajectory:
    first, *others = trajectory.history.steps
    steps = (dataclasses.replace(first, **changes), *others)  # type: ignore[arg-type]
    return dataclasses.replace(trajectory, history=dataclasses.replace(trajectory.history, steps=steps))


def test_question_steps_end_scores_tokens_and_time_are_shown() -> None:
    text = shown(episode(task("t", scenario="api"), True))
    for part in ("Who made t?", "gold: Ada", "scenario: api", "1 agent  gold_call", "calls look_up()", "→ found"):
        assert part in text
    for part in (
        "2 agent  correct_final",
        "answers Ada",
        "solved, ends by final after 2 steps",
        "100 + 10 tokens",
        "2.00 s",
    ):
        assert part in text


def test_what_the_other_would_have_done_and_branches_are_shown() -> None:
    played = episode(task("t"), True)
    first = played.history.steps[0]
    other = Alternative(Actor.EXPERT, CallTools((ToolCall("search", {"query": "Ada"}),)))
    branch = Branch(
        dataclasses.replace(first.decision, action=Final("Bob")), (played.history.steps[1],), EndReason.FINAL
    )
    decision = dataclasses.replace(first.decision, alternatives=(other,))
    text = shown(with_first_step(played, decision=decision, branches=(branch,)))
    assert 'expert would have: search(query="Ada")' in text and "another way from step 1: ends by final" in text


@pytest.mark.parametrize("evil", ["\x1b[2J\x1b]0;owned\x07", "\x9b31m", "a\rb", "\u202egpj.exe", "\x00", "\ud800"])
def test_control_characters_of_a_tool_never_reach_the_terminal(evil: str) -> None:
    text = shown(with_first_step(episode(task("t"), True), observation=Observation(f"before {evil} after")))
    assert "before" in text and "after" in text
    assert not set(text) & (set("\x1b\x9b\x07\r\x00\u202e\ud800"))


def test_markup_is_text() -> None:
    text = shown(with_first_step(episode(task("t"), True), observation=Observation("[bold red]x[/] [link=http://a]y")))
    assert "[bold red]x[/] [link=http://a]y" in text


def test_long_texts_are_cut_and_say_how_long_they_were() -> None:
    text = shown(with_first_step(episode(task("t"), True), observation=Observation("x" * 5000)))
    assert text.count("x") < LONGEST + 50 and "5,002 characters" in text


def test_what_a_terminal_obeys_is_written_out() -> None:
    assert plain("a\x1b[0m\u200bb\n\tc é 漢") == "a\\x1b[0m\\u200bb\n\tc é 漢"
    assert one_line("a\n b\r\nc", 3) == "a b … (5 characters)"
    assert harmless("[red]").markup == "\\[red]"


def test_every_category_of_step_is_shown_by_its_name() -> None:
    for category in StepCategory:
        assert category.value in shown(with_first_step(episode(task("t"), True), category=category))
