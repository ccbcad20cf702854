"""Rows carry the actor's tokens, and nothing after them."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.templates import Span
from agentbench.training_data.sft import sft_row, sft_rows
from agentbench.types import EndReason, History, Observation, Score, Task, Trajectory


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
