"""Trajectory pairs: who is preferred, and which tokens carry loss, counted by hand."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agentbench.config.prefs import TrajectoryPrefs
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.shelf import shelf
from agentbench.training_data.trajectory_pairs import TrajectoryPairs, Walks
from agentbench.training_data.transcript import Transcriber
from agentbench.types import Branch, EndReason, Trajectory

from .conftest import ASK, ASTRAY, RIGHT, SEARCH, WRONG, kept_text

END = "<|end|>"


@pytest.fixture
def pairs(transcriber, tmp_path: Path):
    """`pairs(ours, theirs, key=value)`: the rows, and what was left out."""

    def made(
        ours: list[Trajectory], theirs: list[Trajectory] | None = None, written=transcriber, **settings
    ) -> tuple[list[PreferenceRow], dict[str, int]]:
        config = TrajectoryPrefs(**settings)
        walks, maker = Walks(config, written), TrajectoryPairs(config, theirs is not None, 0)
        with shelf(tmp_path) as waiting:
            for side, trajectories in enumerate((ours, theirs or [])):
                for walk in (walk for trajectory in trajectories for walk in walks.walks(trajectory, side)):
                    waiting.put(walk)
            rows = [row for same_task in waiting.tasks() for row in maker.rows(same_task)]
        return rows, dict(walks.dropped + maker.dropped)

    return made


def test_success_is_preferred_and_the_margin_is_the_difference_of_returns(play, pairs) -> None:
    (row,), dropped = pairs([play(ASTRAY, WRONG)], [play(ASK, SEARCH, RIGHT)])
    assert (row.kind, row.chosen_category, row.rejected_category) == (
        "success_over_failure",
        "correct_final",
        "wrong_final",
    )
    # 0.2 + 0.2 + 1.0 against -0.05 - 0.5
    assert row.margin == pytest.approx(1.95) and dropped == {}


def test_of_two_successes_the_higher_return_is_preferred_if_the_margin_is_reached(play, pairs) -> None:
    quick, slow = play(ASK, SEARCH, RIGHT), play(ASTRAY, ASK, SEARCH, RIGHT)
    (row,), _ = pairs([slow, quick], margin=0.04)
    assert row.kind == "higher_return" and row.margin == pytest.approx(0.05)  # one other_call at -0.05
    assert pairs([slow, quick], margin=0.06) == ([], {"the returns differ by less than the margin": 1})
    assert pairs([slow, quick], same_outcome=False) == ([], {"the outcome is the same": 1})


def test_the_same_way_twice_is_no_pair(play, pairs) -> None:
    assert pairs([play(ASK, SEARCH, RIGHT), play(ASK, SEARCH, RIGHT)]) == ([], {"both do the same": 1})


def test_pairs_against_another_agent_have_one_of_either(play, pairs) -> None:
    ours, theirs = [play(WRONG), play(ASTRAY, WRONG)], [play(ASK, SEARCH, RIGHT)]
    assert len(pairs(ours, theirs)[0]) == 2  # not the pair of the two failures
    assert len(pairs([*ours, *theirs])[0]) == 3
    assert pairs(ours, []) == ([], {"tasks with nothing to compare": 1})


def test_the_prompt_is_the_opening_and_the_completions_are_all_that_follows(play, pairs, words) -> None:
    good, bad = play(ASK, SEARCH, RIGHT), play(ASTRAY, WRONG)
    (row,), _ = pairs([good], [bad])
    assert row.prompt_ids == good.history.steps[0].decision.generations[0].prompt_ids
    last = bad.history.steps[1].decision.generations[0]
    assert row.prompt_ids + row.rejected_ids == last.prompt_ids + last.completion_ids
    assert kept_text(words, row.chosen_ids, row.chosen_mask) == f"{ASK}{END}{SEARCH}{END}{RIGHT}{END}"
    assert kept_text(words, row.rejected_ids, row.rejected_mask) == f"{ASTRAY}{END}{WRONG}{END}"


def test_the_mask_of_a_small_history_by_hand(play, pairs, letters) -> None:
    written = Transcriber(TokenTemplate(Tiny(), letters), "")
    (row,), _ = pairs([play(ASTRAY, RIGHT, tokenizer=letters)], [play(WRONG, tokenizer=letters)], written=written)
    # <|call|>, 18 letters " get_film_director", <|arg|>, 6 " title", <|is|>, 5 " Heat", <|end|>: 33 said
    # 9 letters " director" (it found an empty list), <|act|>: 10 seen; <|final|>, 7 " Stroud", <|end|>: 9 said
    assert letters.decode(row.chosen_ids[33:43]) == " director<|act|>"
    assert row.chosen_mask == (1,) * 33 + (0,) * 10 + (1,) * 9
    assert row.rejected_mask == (1,) * 8  # <|final|> + 6 " Paris" + <|end|>


def test_bad_steps_of_the_chosen_side_carry_no_loss_if_asked(play, pairs, words) -> None:
    good, bad = play("<|arg|> what", ASK, SEARCH, RIGHT), play("<|arg|> what", WRONG)
    (row,), _ = pairs([good], [bad], mask_suboptimal_traces=True)
    assert kept_text(words, row.chosen_ids, row.chosen_mask) == f"{ASK}{END}{SEARCH}{END}{RIGHT}{END}"
    assert kept_text(words, row.rejected_ids, row.rejected_mask) == f"<|arg|> what{END}{WRONG}{END}"
    assert words.decode(row.chosen_ids).startswith("<|arg|> what")


def test_with_masked_history_only_the_last_step_carries_loss(play, pairs, words) -> None:
    (row,), _ = pairs([play(ASK, SEARCH, RIGHT)], [play(ASTRAY, WRONG)], mask_history=True)
    assert kept_text(words, row.chosen_ids, row.chosen_mask) == f"{RIGHT}{END}"
    assert kept_text(words, row.rejected_ids, row.rejected_mask) == f"{WRONG}{END}"


def test_a_chosen_side_without_loss_is_left_out(play, pairs) -> None:
    worse, bad = play(ASTRAY, WRONG), play(WRONG)
    settings = {"mask_suboptimal_traces": True, "mask_history": True}
    assert pairs([worse], [bad], **settings) == ([], {"a side without a token that carries loss": 1})


def test_shared_steps_move_into_the_prompt_if_asked(play, pairs, words) -> None:
    good, bad = play(ASK, SEARCH, RIGHT), play(ASK, WRONG)
    (row,), _ = pairs([good], [bad], shared_steps_in_prompt=True)
    assert row.prompt_ids == bad.history.steps[1].decision.generations[0].prompt_ids
    assert words.decode(row.rejected_ids) == f"{WRONG}{END}" and words.decode(row.chosen_ids).startswith(SEARCH)
    assert [message["role"] for message in row.prompt] == ["system", "user", "assistant", "tool"]
    assert len(row.chosen) == 3 and len(row.rejected) == 1


def test_errors_and_unjudged_ways_are_left_out(play, pairs) -> None:
    good = play(ASK, SEARCH, RIGHT)
    dead = dataclasses.replace(good, end=EndReason.ERROR, scores=())
    unjudged = dataclasses.replace(good, scores=())
    assert pairs([dead, unjudged], [good])[1] == {
        "trajectories that ended with an error": 1,
        "trajectories that were not judged": 1,
        "tasks with nothing to compare": 1,
    }


def test_other_tools_make_another_task_of_it(play, pairs, film_task) -> None:
    fewer = dataclasses.replace(film_task, tools_allowed=film_task.tools_allowed[:1])
    made = pairs([play(ASK, SEARCH, RIGHT)], [play(WRONG, task=fewer)])
    assert made == ([], {"the openings differ: other tools, rules or question": 1})


def test_a_branch_is_a_trajectory_of_its_own(play, pairs, words) -> None:
    good, bad = play(ASK, SEARCH, RIGHT), play(ASK, WRONG)
    first, *rest = good.history.steps
    late = bad.history.steps[1:]
    grown = dataclasses.replace(rest[0], branches=(Branch(late[0].decision, late, bad.end, bad.scores),))
    tree = dataclasses.replace(good, history=dataclasses.replace(good.history, steps=(first, grown, rest[1])))
    (row,), _ = pairs([tree])
    assert words.decode(row.rejected_ids).endswith(f"{WRONG}{END}") and row.kind == "success_over_failure"
    assert pairs([tree], branches=False) == ([], {"tasks with nothing to compare": 1})
