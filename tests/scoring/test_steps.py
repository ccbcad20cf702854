"""Reward categories come from the environment's record."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.scoring.steps import StepGrader, categorise
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Final,
    Gold,
    History,
    Malformed,
    Observation,
    Outcome,
    Rule,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    Turn,
)

ASK = CallTools((ToolCall("get_film_director", {"title": "Robbery"}),))
DIRECTOR = Observation('{"director":["Jack Lee"]}')


@pytest.fixture
def start(film_tools) -> History:
    return History(tuple(tool.spec for tool in film_tools), Observation("?"))


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        ("Stroud", StepCategory.CORRECT_FINAL),
        ("Paris", StepCategory.WRONG_FINAL),
        ("I cannot answer this.", StepCategory.WRONG_REFUSAL),
    ],
)
def test_answers_to_an_answerable_question(film_task, start, answer, category) -> None:
    assert categorise(film_task, start, Final(answer), Observation("")) is category


def test_a_refusal_is_right_where_the_tool_is_missing(unanswerable, start) -> None:
    grade = StepGrader({category: 0.0 for category in StepCategory} | {StepCategory.CORRECT_REFUSAL: 2.5})
    graded = grade(unanswerable, start, Final("I cannot answer this."), Observation(""))
    assert graded == (StepCategory.CORRECT_REFUSAL, 2.5)


def test_a_call_is_gold_only_where_it_moves_the_chain(film_task, start) -> None:
    other = CallTools((ToolCall("get_film_director", {"title": "Heat"}),))
    assert categorise(film_task, start, ASK, DIRECTOR) is StepCategory.GOLD_CALL
    assert categorise(film_task, start, other, DIRECTOR) is StepCategory.OTHER_CALL


@pytest.mark.parametrize(
    ("outcome", "category"),
    [
        (Outcome.BAD_ARGUMENTS, StepCategory.BAD_CALL),
        (Outcome.UNAVAILABLE, StepCategory.BAD_CALL),
        (Outcome.REPEATED, StepCategory.REPEATED_CALL),
        (Outcome.RULE_BROKEN, StepCategory.RULE_BROKEN),
        (Outcome.TOOL_ERROR, StepCategory.TOOL_ERROR),
    ],
)
def test_a_failed_call_is_named_by_its_outcome(film_task, start, outcome, category) -> None:
    assert categorise(film_task, start, ASK, Observation("{}", outcome)) is category


def test_a_forbidden_call_that_was_carried_out_is_still_a_broken_rule(film_task, start) -> None:
    task = dataclasses.replace(film_task, rules=(Rule("No database.", (ToolKind.API,)),))
    assert categorise(task, start, ASK, DIRECTOR) is StepCategory.RULE_BROKEN


@pytest.mark.parametrize("outcome", [Outcome.BAD_ARGUMENTS, Outcome.REPEATED, Outcome.TOOL_ERROR, Outcome.RULE_BROKEN])
def test_a_forbidden_call_is_a_broken_rule_whatever_came_of_it(film_task, start, outcome) -> None:
    task = dataclasses.replace(film_task, rules=(Rule("No database.", (ToolKind.API,)),), tools_allowed=(ToolKind.API,))
    assert categorise(task, start, ASK, Observation("{}", outcome)) is StepCategory.RULE_BROKEN


def test_a_call_of_a_forbidden_tool_that_was_taken_away_is_a_bad_call(film_task, start) -> None:
    task = dataclasses.replace(film_task, rules=(Rule("No database.", (ToolKind.API,)),))
    bare = dataclasses.replace(start, tools=())
    assert categorise(task, bare, ASK, Observation("{}", Outcome.UNAVAILABLE)) is StepCategory.BAD_CALL


def test_malformed_text_has_a_category_of_its_own(film_task, start) -> None:
    assert categorise(film_task, start, Malformed("x", "y"), Observation("")) is StepCategory.MALFORMED


def test_an_answer_to_a_task_without_a_right_one_is_left_unjudged(film_task: Task) -> None:
    secret = dataclasses.replace(film_task, turns=(Turn("Book it.", Gold(Answer(AnswerType.TEXT))),))
    graded = categorise(secret, History((), Observation("Book it.")), Final("Done."), Observation(""))
    assert graded is StepCategory.UNJUDGED_FINAL
