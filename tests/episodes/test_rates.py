"""Shares and their intervals."""

from __future__ import annotations

import pytest

from agentbench.episodes.rates import families_solved, rate, wilson


def test_the_interval_of_8_in_10_is_the_one_worked_out_by_hand() -> None:
    # z² = 3.841459; centre = (0.8 + 3.841459/20) / (1 + 0.3841459) = 0.9920729 / 1.3841459 = 0.716740
    # half = 1.959964 / 1.3841459 · sqrt(0.8·0.2/10 + 3.841459/400) = 1.416010 · 0.160012 = 0.226578
    assert wilson(8, 10) == pytest.approx((0.490162, 0.943318), abs=1e-5)


def test_nothing_in_10_leaves_room_up_to_z2_over_n_plus_z2() -> None:
    assert wilson(0, 10) == pytest.approx((0.0, 3.841459 / 13.841459), abs=1e-6)
    assert wilson(10, 10) == pytest.approx((10 / 13.841459, 1.0), abs=1e-6)


def test_no_episodes_have_no_rate_and_say_nothing() -> None:
    empty = rate(0, 0)
    assert (empty.rate, empty.low, empty.high) == (None, 0.0, 1.0)


def test_a_rate_is_count_over_n() -> None:
    assert rate(1, 4).rate == 0.25


def test_a_family_is_solved_where_all_its_tasks_are() -> None:
    episodes = [("a", 0, True), ("a", 0, True), ("b", 0, True), ("b", 0, False), ("", 0, True)]
    found = families_solved(episodes)
    assert (found.count, found.n) == (1, 2)


def test_each_sample_of_a_family_counts_by_itself() -> None:
    found = families_solved([("a", 0, True), ("a", 0, False), ("a", 1, True), ("a", 1, True)])
    assert (found.count, found.n) == (1, 2)
