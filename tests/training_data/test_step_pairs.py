"""Step pairs: the expert over the agent, in the same state, in exact tokens."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.config.prefs import StepPrefs
from agentbench.episodes.tally import differ
from agentbench.policies.triggers import Always, Never
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.step_pairs import StepPairs
from agentbench.types import Actor, Branch, Decision, EndReason, Final, Observation, Step, StepCategory, Trajectory

from .conftest import ASK, ASTRAY, NONSENSE, OTHER_WORDS, RIGHT, SEARCH, WRONG, kept_text, spelt


@pytest.fixture
def pairs(transcriber):
    """`pairs(trajectory, key=value)`: the rows, and what was left out."""

    def made(trajectory: Trajectory, **settings) -> tuple[list[PreferenceRow], dict[str, int]]:
        maker = StepPairs(StepPrefs(**settings), transcriber, differ)
        return list(maker.rows(trajectory)), dict(maker.dropped)

    return made


def kinds(made: tuple[list[PreferenceRow], dict[str, int]]) -> list[str]:
    return [row.kind for row in made[0]]


def test_an_expert_that_plays_on_is_preferred_at_every_step(play, pairs) -> None:
    rows, dropped = pairs(play(WRONG, trigger=Always()))
    # look up, search, answer; the agent would have said Paris each time
    assert [row.kind for row in rows] == ["call_over_final", "call_over_final", "final_over_final"]
    assert [row.chosen_category for row in rows] == ["gold_call", "gold_call", "correct_final"]
    assert [row.rejected_category for row in rows] == 3 * ["wrong_final"]  # graded although never said
    assert dropped == {}


def test_a_pairs_prompt_is_what_was_served_and_its_rejected_side_what_was_sampled(play, pairs, words) -> None:
    trajectory = play(WRONG, trigger=Always())
    for row, step in zip(pairs(trajectory)[0], trajectory.history.steps, strict=True):
        said = step.decision.generations[0]
        assert row.prompt_ids == said.prompt_ids and row.rejected_ids == said.completion_ids
        assert row.rejected_ids == spelt(words, WRONG + "<|end|>") != words.encode(WRONG + "<|end|>", control=True)


def test_the_chosen_side_is_the_experts_action_with_its_ending(play, pairs, words) -> None:
    first, second, third = pairs(play(WRONG, trigger=Always()))[0]
    thought = "<|think|> Look up the director."
    assert words.decode(first.chosen_ids) == f"{thought}{ASK}<|end|>"
    assert words.decode(second.chosen_ids) == f"{SEARCH}<|end|>"
    assert words.decode(third.chosen_ids) == "<|final|> Stroud<|end|>"
    assert all(set(row.chosen_mask) == set(row.rejected_mask) == {1} for row in (first, second, third))


def test_an_agent_that_will_not_stop_gives_the_pair_that_teaches_it(play, pairs, words) -> None:
    rows, dropped = pairs(play(ASK, SEARCH, ASTRAY, RIGHT))
    (row,) = rows
    assert (row.kind, row.chosen_category, row.rejected_category) == ("final_over_call", "correct_final", "other_call")
    assert words.decode(row.chosen_ids) == "<|final|> Stroud<|end|>"
    assert dropped == {"both do the same": 3}


def test_a_right_step_in_other_words_is_not_rejected_unless_asked(play, pairs) -> None:
    trajectory = play(ASK, OTHER_WORDS, RIGHT)
    assert pairs(trajectory) == ([], {"both do the same": 2, "the agent's step was gold_call": 1})
    assert kinds(pairs(trajectory, leave_out_agent=())) == ["call_over_call"]


def test_an_experts_bad_step_is_not_preferred(play, pairs) -> None:
    trajectory = play(WRONG, trigger=Always())
    assert pairs(trajectory, leave_out_expert=(StepCategory.GOLD_CALL,))[1] == {"the expert's step was gold_call": 2}


def test_expert_calls_that_were_never_carried_out_can_be_left_aside(play, pairs) -> None:
    trajectory = play(ASTRAY, ASK, SEARCH, ASTRAY, RIGHT)
    rows = pairs(trajectory)[0]
    assert [(row.kind, row.chosen_category) for row in rows] == [
        ("call_over_call", "not_executed"),
        ("final_over_call", "correct_final"),
    ]
    left = pairs(trajectory, unexecuted_expert_calls=False)
    assert kinds(left) == ["final_over_call"] and left[1]["the expert's call was never carried out"] == 1


def test_only_real_interventions_can_be_asked_for(play, pairs) -> None:
    assert pairs(play(ASTRAY, WRONG, trigger=Never()), only_interventions=True) == (
        [],
        {"the expert did not step in": 2},
    )
    assert len(pairs(play(WRONG, trigger=Always()), only_interventions=True)[0]) == 3


def test_unreadable_text_is_rejected_as_it_was_sampled(play, pairs, words) -> None:
    row = pairs(play(NONSENSE, trigger=Always()))[0][0]
    assert (row.kind, row.rejected_category) == ("call_over_malformed", "malformed")
    assert words.decode(row.rejected_ids) == f"{NONSENSE}<|end|>"


def test_without_an_expert_there_is_nothing_to_prefer(play, pairs) -> None:
    trajectory = play(ASTRAY, WRONG)
    bare = [
        dataclasses.replace(step, decision=dataclasses.replace(step.decision, alternatives=()))
        for step in trajectory.history.steps
    ]
    alone = dataclasses.replace(trajectory, history=dataclasses.replace(trajectory.history, steps=tuple(bare)))
    assert pairs(alone) == ([], {"steps without the other actor's action": 2})


@pytest.fixture
def tree(play) -> Trajectory:
    """The agent answers Paris at once; a branch in which the expert answers Stroud instead."""
    trajectory = play(WRONG)
    (step,) = trajectory.history.steps
    decision = Decision(Final("Stroud"), Actor.EXPERT)
    instead = Step(decision, Observation(""), StepCategory.CORRECT_FINAL, reward=1.0)
    bare = dataclasses.replace(step.decision, alternatives=())
    grown = dataclasses.replace(step, decision=bare, branches=(Branch(decision, (instead,), EndReason.FINAL),))
    return dataclasses.replace(trajectory, history=dataclasses.replace(trajectory.history, steps=(grown,)))


def test_the_first_step_of_a_branch_is_another_thing_to_do(tree, pairs) -> None:
    rows = pairs(tree)[0]
    assert [(row.kind, row.chosen_category) for row in rows] == [("final_over_final", "correct_final")]
    assert rows[0].margin == 1.0 - -0.5  # correct_final less wrong_final


def test_messages_are_the_same_states_and_actions(play, pairs) -> None:
    row = pairs(play(WRONG, trigger=Always()))[0][1]
    assert [message["role"] for message in row.prompt] == ["system", "user", "assistant", "tool"]
    assert row.rejected == ({"role": "assistant", "content": "Paris"},)
    (chosen,) = row.chosen
    call = chosen["tool_calls"][0]["function"]
    assert call == {"name": "retrieve_documents", "arguments": '{"collection": "people", "query": "Jack Lee"}'}


def test_the_tokens_of_what_carries_loss_are_the_actions(play, pairs, words) -> None:
    for row in pairs(play(ASTRAY, WRONG, trigger=Always()))[0]:
        assert kept_text(words, row.rejected_ids, row.rejected_mask) in {f"{ASTRAY}<|end|>", f"{WRONG}<|end|>"}
