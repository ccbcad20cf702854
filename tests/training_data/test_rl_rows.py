"""Episodes as rows, token by token."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.errors import DataError
from agentbench.training_data.returns import RewardWeights
from agentbench.training_data.rl_rows import rl_rows
from agentbench.types import Branch, EndReason, Score, StepCategory, Trajectory
from tests.training_data.episodes_for_rl import by_expert, episode, sampled, two_steps, verdict

WEIGHTS = RewardWeights({**dict.fromkeys(StepCategory, 0.0), StepCategory.GOLD_CALL: 0.2}, success=1.0)
FINAL = StepCategory.CORRECT_FINAL


def test_the_mask_covers_exactly_what_was_sampled() -> None:
    """1 3 | 5 6 | 8 9 | 7 2: prompt, call, what was seen, answer."""
    (row,) = rl_rows(two_steps(True), WEIGHTS, 100).rows
    assert row.prompt_ids == (1, 3)
    assert row.completion_ids == (5, 6, 8, 9, 7, 2)
    assert row.mask == (1, 1, 0, 0, 1, 1)
    assert row.step_of_token == (0, 0, 0, 0, 1, 1)


def test_log_probabilities_are_those_that_the_engine_recorded() -> None:
    (row,) = rl_rows(two_steps(True), WEIGHTS, 100).rows
    assert row.logprobs == pytest.approx((-0.5, -0.6, 0.0, 0.0, -0.7, -0.2))


def test_a_row_knows_what_every_step_earned() -> None:
    (row,) = rl_rows(two_steps(True), WEIGHTS, 100).rows
    assert row.rewards == pytest.approx((0.2, 1.0)) and row.earned == pytest.approx(1.2)


def test_an_experts_step_is_read_and_not_trained_on() -> None:
    """After 5 the expert wrote 4, and 8 came back; the agent's own proposal never happened."""
    steps = [sampled((1,), (5,)), by_expert(), sampled((1, 5, 8, 4, 8), (7,), FINAL)]
    (row,) = rl_rows(episode(steps), WEIGHTS, 100).rows
    assert (row.completion_ids, row.mask) == ((5, 8, 4, 8, 7), (1, 0, 0, 0, 1))
    assert row.step_of_token == (0, 0, 0, 0, 2) and len(row.rewards) == 3


def test_an_ending_that_the_model_did_not_write_itself_is_not_trained_on() -> None:
    """Cut at its limit, 5 6 was ended with 2 by the template."""
    steps = [sampled((1,), (5, 6)), sampled((1, 5, 6, 2, 8), (7,), FINAL)]
    (row,) = rl_rows(episode(steps), WEIGHTS, 100).rows
    assert (row.completion_ids, row.mask) == ((5, 6, 2, 8, 7), (1, 1, 0, 0, 1))


def test_a_template_that_rewrites_history_gives_a_row_per_step() -> None:
    """The second prompt has lost the 6: it begins with 1 5 and not with 1 5 6."""
    steps = [sampled((1,), (5, 6)), sampled((1, 5, 8), (7,), FINAL)]
    made = rl_rows(episode(steps), WEIGHTS, 100)
    assert [(row.prompt_ids, row.completion_ids) for row in made.rows] == [((1,), (5, 6)), ((1, 5, 8), (7,))]
    assert made.rewritten == 1 and {row.earned for row in made.rows} == {1.2}


def test_rows_that_are_too_long_are_counted() -> None:
    made = rl_rows(two_steps(True), WEIGHTS, 7)
    assert (made.rows, made.too_long) == ((), 1), "two tokens of prompt and six after it"


@pytest.mark.parametrize("end", [EndReason.ERROR, EndReason.FINAL])
def test_a_failed_or_unscored_episode_is_no_reward_of_zero(end: EndReason) -> None:
    scores = () if end is EndReason.ERROR else (Score("answer", None),)
    made = rl_rows(dataclasses.replace(two_steps(True), end=end, scores=scores), WEIGHTS, 100)
    assert (made.rows, made.failed) == ((), 1)


def test_tokens_without_log_probabilities_are_refused() -> None:
    trajectory = two_steps(True)
    step = trajectory.history.steps[0]
    bare = dataclasses.replace(step.decision.generations[0], logprobs=())
    blind = dataclasses.replace(step, decision=dataclasses.replace(step.decision, generations=(bare,)))
    with pytest.raises(DataError, match="'t1': 2 sampled tokens have 0 log-probabilities"):
        rl_rows(episode([blind]), WEIGHTS, 100)


def tree() -> Trajectory:
    """The executed path says 5, then 7. Where it said 7, another way says 6 instead, then 4; only that one fails."""
    other = sampled((1, 5, 8), (6,)), sampled((1, 5, 8, 6, 9), (4,), StepCategory.WRONG_FINAL)
    branch = Branch(other[0].decision, other, EndReason.FINAL, verdict(False))
    return episode([sampled((1,), (5,)), sampled((1, 5, 8), (7,), FINAL, (branch,))])


def test_a_tree_has_a_row_for_each_way_and_trains_shared_steps_once() -> None:
    executed, other = rl_rows(tree(), WEIGHTS, 100).rows
    assert (executed.completion_ids, executed.mask) == ((5, 8, 7), (1, 0, 1))
    assert (other.completion_ids, other.mask) == ((5, 8, 6, 9, 4), (0, 0, 1, 0, 1))
    assert (executed.path, other.path) == (0, 1)
    assert (executed.earned, other.earned) == pytest.approx((1.2, 0.4))


def test_advantages_of_a_trees_steps_come_along() -> None:
    trajectory = tree()
    first, second = trajectory.history.steps
    given = {id(first): 0.0, id(second): 0.5} | {id(step): -0.5 for step in second.branches[0].steps}
    executed, other = rl_rows(trajectory, WEIGHTS, 100, given).rows
    assert (executed.advantages, other.advantages) == ((0.0, 0.5), (0.0, -0.5, -0.5))


def test_a_step_without_an_advantage_is_not_trained_on() -> None:
    trajectory = tree()
    executed, *_ = rl_rows(trajectory, WEIGHTS, 100, {id(trajectory.history.steps[1]): 0.5}).rows
    assert executed.mask == (0, 0, 1)
