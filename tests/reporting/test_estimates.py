"""Means, pass@k and pass^k with intervals over tasks."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from agentbench.episodes.bootstrap import ratio, t_975, task_bootstrap
from agentbench.episodes.rates import TaskCounts, clustered_rate, wilson
from agentbench.reporting.estimates import mean, mean_share, pass_all, pass_at, several


def test_pass_at_2_of_four_episodes_with_one_solved_is_a_half() -> None:
    # pairs of four: 6; without the solved one: C(3, 2) = 3; 1 - 3/6
    assert pass_at(solved=1, played=4, k=2) == 0.5


def test_pass_all_2_of_four_episodes_with_three_solved_is_a_half() -> None:
    # pairs of the three solved: 3 of 6
    assert pass_all(solved=3, played=4, k=2) == 0.5


@pytest.mark.parametrize("solved", range(6))
@pytest.mark.parametrize("k", range(1, 6))
def test_both_are_what_drawing_every_subset_gives(solved: int, k: int) -> None:
    outcomes = [True] * solved + [False] * (5 - solved)
    drawn = list(combinations(outcomes, k))
    assert pass_at(solved, 5, k) == pytest.approx(np.mean([any(each) for each in drawn]))
    assert pass_all(solved, 5, k) == pytest.approx(np.mean([all(each) for each in drawn]))


def test_k_goes_up_to_the_fewest_episodes_of_a_task_by_powers_of_two() -> None:
    any_solved, all_solved = several({"a": (3, 6), "b": (0, 7)})
    assert list(any_solved) == list(all_solved) == [1, 2, 4, 6]
    assert any_solved[1].value == all_solved[1].value == 0.25  # (3/6 + 0/7) / 2


def test_without_episodes_there_is_no_figure() -> None:
    assert several({}) == ({}, {})
    assert mean([]).value is None and mean_share([]).n == 0


def test_a_mean_counts_episodes_and_draws_tasks() -> None:
    found = mean([("a", 1.0), ("a", 2.0), ("b", 6.0)])
    assert (found.value, found.n) == (3.0, 2)  # (1 + 2 + 6) / 3 episodes, of 2 tasks


def test_one_task_says_nothing_about_others() -> None:
    found = mean([("a", 1.0), ("a", 2.0)])
    assert (found.value, found.low, found.high) == (1.5, None, None)


def test_tasks_that_are_all_alike_leave_wilsons_interval() -> None:
    found = mean_share([1.0] * 10)
    assert (found.low, found.high) == wilson(10, 10)


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    values = [(str(task), float(task % 7)) for task in range(40)]
    assert mean(values, seed=1) == mean(values, seed=1) != mean(values, seed=2)


def test_the_bootstrap_agrees_with_scipys_on_the_same_numbers() -> None:
    values = np.random.default_rng(3).gamma(2.0, size=200)
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=20_000, rng=np.random.default_rng(0)
    ).confidence_interval
    ends = task_bootstrap([(value, 1.0) for value in values], ratio)
    # 200 tasks widen a percentile interval by (t / z) · sqrt(200 / 199) = 1.972 / 1.960 · 1.0025 = 1.009
    assert ends is not None
    assert (ends.high - ends.low) / (theirs.high - theirs.low) == pytest.approx(1.009, abs=0.03)
    assert ends.low == pytest.approx(theirs.low, abs=0.02) and ends.high == pytest.approx(theirs.high, abs=0.02)


@pytest.mark.parametrize(("degrees", "within"), [(3, 0.01), (5, 1e-3), (10, 1e-4), (100, 1e-6)])
def test_t_quantiles_are_scipys(degrees: int, within: float) -> None:
    assert t_975(degrees) == pytest.approx(stats.t.ppf(0.975, degrees), rel=within)


def test_a_task_played_once_counts_as_an_episode() -> None:
    assert clustered_rate([(1, 1), (0, 1), (1, 1)]).low == wilson(2, 3)[0]


def test_samples_of_a_task_that_never_differ_say_no_more_than_the_task() -> None:
    counts = TaskCounts()
    for task in range(20):
        for _sample in range(50):
            counts.add(str(task), task < 10)
    found = counts.rate()
    alone = wilson(10, 20)
    assert (found.count, found.n, found.rate) == (500, 1000, 0.5)
    assert found.high - found.low > 0.9 * (alone[1] - alone[0])
    assert wilson(500, 1000)[1] - wilson(500, 1000)[0] < 0.2 * (found.high - found.low)


def test_tasks_that_all_came_out_alike_count_once_each() -> None:
    found = clustered_rate([(4, 4)] * 10)
    assert (found.low, found.high) == wilson(10, 10)
