"""Rewards from the record, and advantages, each worked out by hand."""

from __future__ import annotations

import math

import pytest

from agentbench.config.stage_rl import AdvantageScale
from agentbench.training_data.returns import (
    RewardWeights,
    all_equal,
    gae,
    group_advantages,
    leave_one_out,
    path_rewards,
    whitened,
)
from agentbench.types import StepCategory
from tests.training_data.episodes_for_rl import by_expert, sampled

WEIGHTS = RewardWeights(
    {
        **dict.fromkeys(StepCategory, 0.0),
        StepCategory.GOLD_CALL: 0.2,
        StepCategory.REPEATED_CALL: -0.1,
        StepCategory.CORRECT_FINAL: 1.0,
    },
    steps=0.5,
    success=2.0,
)


def test_steps_earn_by_their_category_and_the_last_one_success_too() -> None:
    steps = (
        sampled((1,), (5,)),
        by_expert(StepCategory.REPEATED_CALL),
        sampled((1,), (5,), StepCategory.CORRECT_FINAL),
    )
    assert path_rewards(steps, True, WEIGHTS) == pytest.approx((0.5 * 0.2, 0.5 * -0.1, 0.5 * 1.0 + 2.0))
    assert path_rewards(steps, False, WEIGHTS) == pytest.approx((0.1, -0.05, 0.5))
    assert path_rewards((), True, WEIGHTS) == ()


def test_an_end_without_an_answer_costs_what_a_wrong_one_does() -> None:
    """0.5 × (0.2 − 0.4): a call was the last that happened. A wrong answer, or success, is no such end."""
    weights = WEIGHTS._replace(unanswered=-0.4)
    call, wrong = sampled((1,), (5,)), sampled((1,), (5,), StepCategory.WRONG_FINAL)
    assert path_rewards((call,), False, weights) == pytest.approx((-0.1,))
    assert path_rewards((call, wrong), False, weights) == pytest.approx((0.1, 0.0))
    assert path_rewards((call,), True, weights) == pytest.approx((2.1,))


def test_what_the_model_says_about_itself_earns_nothing() -> None:
    """The same record, whatever was said and whatever reward somebody else wrote beside it."""
    plain, boastful = sampled((1,), (5,)), sampled((1,), (7, 7, 7))
    assert path_rewards((plain,), False, WEIGHTS) == path_rewards((boastful,), False, WEIGHTS)


def test_an_advantage_is_what_is_earned_above_the_groups_mean() -> None:
    returns = [[1.0, 3.0], [5.0, 5.0]]
    assert group_advantages(returns, AdvantageScale.NONE) == [[-1.0, 1.0], [0.0, 0.0]]


def test_scaled_by_group_it_is_divided_by_the_groups_deviation() -> None:
    """Of 1 and 3 the sample's deviation is √2."""
    scaled = group_advantages([[1.0, 3.0], [5.0, 5.0]], AdvantageScale.GROUP)
    assert scaled[0] == pytest.approx([-1 / (math.sqrt(2) + 1e-4), 1 / (math.sqrt(2) + 1e-4)])
    assert scaled[1] == [0.0, 0.0]


def test_scaled_by_batch_it_is_divided_by_the_deviation_of_all_returns() -> None:
    """1, 3, 5, 5: mean 3.5, squares 6.25 + 0.25 + 2.25 + 2.25 = 11, over 3 that is 3.6667."""
    scaled = group_advantages([[1.0, 3.0], [5.0, 5.0]], AdvantageScale.BATCH)
    assert scaled[0][1] == pytest.approx(1 / (math.sqrt(11 / 3) + 1e-4))


def test_left_out_of_its_own_baseline() -> None:
    """1 against the mean of 2 and 6, 2 against that of 1 and 6, 6 against that of 1 and 2."""
    assert leave_one_out([[1.0, 2.0, 6.0], [4.0]], normalize=False) == [[-3.0, -1.5, 4.5], [0.0]]


def test_normalised_advantages_have_mean_zero_and_deviation_one() -> None:
    """−1 and 1: mean 0, deviation √2."""
    assert whitened([[-1.0], [1.0]])[1] == pytest.approx([1 / (math.sqrt(2) + 1e-4)])
    assert whitened([]) == []


def test_generalised_advantages_over_three_steps() -> None:
    """γ = 0.5, λ = 0.5, rewards 1 0 2, values 1 2 1.

    δ₂ = 2 − 1 = 1; δ₁ = 0 + 0.5·1 − 2 = −1.5; δ₀ = 1 + 0.5·2 − 1 = 1.
    A₂ = 1; A₁ = −1.5 + 0.25·1 = −1.25; A₀ = 1 + 0.25·(−1.25) = 0.6875.
    """
    found = gae((1.0, 0.0, 2.0), (1.0, 2.0, 1.0), gamma=0.5, decay=0.5)
    assert found.advantages == pytest.approx((0.6875, -1.25, 1.0))
    assert found.targets == pytest.approx((1.6875, 0.75, 2.0))


def test_with_lambda_one_the_target_is_the_return() -> None:
    found = gae((1.0, 0.0, 2.0), (9.0, 8.0, 7.0), gamma=1.0, decay=1.0)
    assert found.targets == pytest.approx((3.0, 2.0, 2.0))


def test_a_group_without_difference_is_told_apart() -> None:
    assert all_equal([0.3, 0.3]) and not all_equal([0.3, 0.4])
