"""Rows carry the actor's tokens, and nothing after them."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.templates import Span
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer
from agentbench.training_data.sft import sft_row, sft_rows
from agentbench.types import (
    CallTools,
    Decision,
    EndReason,
    Exchange,
    Final,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    Trajectory,
)


class TwoSteps:
    """A template whose episodes are: prompt 1 2, action 3, observation 4 5, action 6 7, and a trailing prompt."""

    def spans(self, history: History) -> tuple[Span, ...]:
        return (Span((1, 2), None), Span((3,), 0), Span((4, 5), None), Span((6, 7), 1), Span((8,), None))


@pytest.fixture
def solved(film_task: Task) -> Trajectory:
    return Trajectory(film_task, History((), Observation("?")), EndReason.FINAL, (Score("answer", 1.0),))


def test_a_row_scores_the_actions_and_ends_with_the_last(solved: Trajectory) -> None:
    row = sft_row(solved, TwoSteps())
    assert row.input_ids == (1, 2, 3, 4, 5, 6, 7)
    assert row.completion_mask == (0, 0, 1, 0, 0, 1, 1)


def test_failures_and_long_episodes_are_left_out_and_counted(solved: Trajectory) -> None:
    failed = dataclasses.replace(solved, scores=(Score("answer", 0.5),))
    assert sft_rows([solved, failed], TwoSteps(), max_length=7)[1:] == (0, 1)
    assert sft_rows([solved, failed], TwoSteps(), max_length=6) == ((), 1, 1)


def test_given_turns_stand_in_the_row_and_none_of_their_tokens_is_trained_on(
    film_task: Task, letters: Tokenizer
) -> None:
    actions = (CallTools((ToolCall("born", {"who": "Jack Lee"}),)), Final("Stroud"))
    steps = tuple(Step(Decision(action), Observation("Stroud"), StepCategory.GOLD_CALL) for action in actions)
    given = (Exchange("Who directed Robbery?", "Jack Lee"),)
    history = History((), Observation("Where was he born?"), steps, given)
    row = sft_row(Trajectory(film_task, history, EndReason.FINAL), TokenTemplate(Tiny(), letters))
    trained = [token for token, kept in zip(row.input_ids, row.completion_mask, strict=True) if kept]
    assert "<|user|> Who directed Robbery?<|act|><|final|> Jack Lee<|end|><|user|> Where" in letters.decode(
        row.input_ids
    )
    assert letters.decode(trained) == "<|call|> born<|arg|> who<|is|> Jack Lee<|end|><|final|> Stroud<|end|>"
