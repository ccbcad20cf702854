"""Which rows are kept, and where they go."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.training_data.rows import RowsIdentity
from agentbench.training_data.selection import Limits, Selection, in_validation, row_length

from .test_rows import EXAMPLE, PAIR

IDENTITY = RowsIdentity("preference/1", "tiny", "abc")


def test_a_row_is_as_long_as_the_prompt_and_its_longer_side() -> None:
    assert row_length(PAIR) == 4  # 2 + max(2, 1)
    assert row_length(EXAMPLE) == 3


def test_longer_rows_are_left_out_and_rows_of_that_length_are_not() -> None:
    fits, short = Selection(Limits(cutoff_len=4), IDENTITY), Selection(Limits(cutoff_len=3), IDENTITY)
    assert fits.kept(PAIR) is not None and not fits.dropped
    assert short.kept(PAIR) is None and short.dropped == {"rows longer than cutoff_len": 1}


def test_exact_repeats_are_left_out_whatever_they_are_called() -> None:
    selection = Selection(Limits(), IDENTITY)
    rows = [PAIR, dataclasses.replace(PAIR, task="u", margin=9.0), dataclasses.replace(PAIR, chosen_mask=(0, 1))]
    assert [selection.kept(row) is not None for row in rows] == [True, False, True]
    assert selection.dropped == {"exact repeats": 1}


def test_rows_of_messages_repeat_where_their_messages_do() -> None:
    selection = Selection(Limits(), IDENTITY._replace(tokenizer=""))
    bare = dataclasses.replace(EXAMPLE, input_ids=(), completion_mask=(), prompt=({"role": "user", "content": "a"},))
    rows = [bare, bare, dataclasses.replace(bare, prompt=({"role": "user", "content": "b"},))]
    assert [selection.kept(row) is not None for row in rows] == [True, False, True]


def test_a_task_gives_at_most_so_many_rows_numbered_from_one() -> None:
    selection = Selection(Limits(per_task=2), IDENTITY)
    rows = [dataclasses.replace(PAIR, prompt_ids=(number,)) for number in range(3)]
    other = dataclasses.replace(PAIR, task="u", prompt_ids=(7,))
    kept = [selection.kept(row) for row in (*rows, other)]
    assert [row.id if row else None for row in kept] == ["t:1", "t:2", None, "u:1"]
    assert selection.dropped == {"rows beyond per_task": 1}


def test_a_kept_row_says_which_template_and_tokenizer_it_is_of() -> None:
    kept = Selection(Limits(), IDENTITY).kept(dataclasses.replace(PAIR, template="", tokenizer=""))
    assert kept is not None and (kept.template, kept.tokenizer) == ("tiny", "abc")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_about_a_share_of_the_tasks_is_held_back_and_always_the_same(share: float) -> None:
    held = [task for task in map(str, range(2000)) if in_validation(task, share, 0)]
    assert abs(len(held) - 2000 * share) <= 90  # four standard deviations at a half: 4 * sqrt(2000) / 2
    assert held == [task for task in map(str, range(2000)) if in_validation(task, share, 0)]
    assert share == 0 or held != [task for task in map(str, range(2000)) if in_validation(task, share, 1)]
