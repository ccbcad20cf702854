"""Two runs on the same tasks."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from agentbench.reporting.paired import Pair, agresti_min, holm, paired_difference, sign_flip_p

RIGHT, WRONG = (1, 1), (0, 1)


def single(only_first: int, only_second: int, both: int = 0, neither: int = 0) -> list[Pair]:
    kinds = ((RIGHT, WRONG, only_first), (WRONG, RIGHT, only_second), (RIGHT, RIGHT, both), (WRONG, WRONG, neither))
    return [Pair(first, second) for first, second, count in kinds for _ in range(count)]


def test_mcnemars_p_of_one_lost_and_seven_gained_is_the_one_worked_out_by_hand() -> None:
    # of 8 coins at most 1 or at least 7 heads: 2 · (1 + 8) / 2^8 = 18 / 256
    found = paired_difference(single(only_first=1, only_second=7, both=5, neither=3))
    assert found.p == pytest.approx(18 / 256)
    assert (found.tasks, found.only_first, found.only_second) == (16, 1, 7)
    assert found.value == 6 / 16


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 1), (3, 3), (2, 11), (40, 61), (250, 203)])
def test_mcnemars_exact_p_is_that_of_statsmodels_and_scipy(first: int, second: int) -> None:
    ours = paired_difference(single(first, second, both=9, neither=4)).p
    assert ours == pytest.approx(vars(mcnemar([[9, first], [second, 4]], exact=True))["pvalue"], abs=1e-12)
    if first + second:
        assert ours == pytest.approx(stats.binomtest(first, first + second).pvalue, abs=1e-12)


def test_agresti_and_mins_interval_is_the_one_worked_out_by_hand() -> None:
    # (7 - 1) / 18 = 1/3; half = 1.959964 · sqrt(1 + 7 + 1 - 36 / 18) / 18 = 1.959964 · 2.645751 / 18 = 0.288087
    assert agresti_min(1, 7, 16) == pytest.approx((0.045246, 0.621420), abs=1e-6)


def test_runs_that_never_differ_may_still_differ_elsewhere() -> None:
    found = paired_difference(single(0, 0, both=6, neither=4))
    assert (found.value, found.p) == (0.0, 1.0)
    assert (found.low, found.high) == pytest.approx((-1.959964 / 12, 1.959964 / 12), abs=1e-6)  # z · sqrt(1) / (10 + 2)


def test_the_sign_flip_p_is_the_share_of_all_sign_flips() -> None:
    differences = [Fraction(1, 2), Fraction(-1, 4), Fraction(3, 4), Fraction(1, 3), Fraction(0)]
    seen = abs(sum(differences))
    flipped = [
        abs(sum(sign * each for sign, each in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=5)
    ]
    assert sign_flip_p(differences) == pytest.approx(sum(each >= seen for each in flipped) / 32)


def test_the_sign_flip_p_is_scipys_permutation_test() -> None:
    shares = np.random.default_rng(5).integers(-4, 5, size=12)
    theirs = stats.permutation_test(
        (shares,), np.sum, permutation_type="samples", n_resamples=10**6, alternative="two-sided"
    )
    assert sign_flip_p([Fraction(int(each), 4) for each in shares]) == pytest.approx(theirs.pvalue, abs=1e-12)


def test_several_samples_are_compared_task_by_task() -> None:
    pairs = [Pair((1, 4), (3, 4)), Pair((2, 4), (2, 4)), Pair((4, 4), (3, 4)), Pair((0, 2), (1, 2))]
    found = paired_difference(pairs)
    assert found.value == pytest.approx((0.5 + 0 - 0.25 + 0.5) / 4)
    assert (found.only_first, found.only_second) == (1, 2)
    assert found.low < found.value < found.high


def test_more_samples_of_the_same_tasks_narrow_the_interval_only_to_what_tasks_leave() -> None:
    few = paired_difference([Pair((task % 2, 1), (1, 1)) for task in range(40)])
    many = paired_difference([Pair((25 * (task % 2), 25), (25, 25)) for task in range(40)])
    assert many.value == few.value == 0.5
    assert many.high - many.low == pytest.approx(few.high - few.low, rel=0.1)


def test_holms_correction_is_the_one_worked_out_by_hand() -> None:
    # sorted 0.01, 0.02, 0.04: 3 · 0.01, 2 · 0.02, 1 · 0.04, each at least the one before
    assert holm([0.02, 0.04, 0.01]) == pytest.approx((0.04, 0.04, 0.03))


def test_holms_correction_is_that_of_statsmodels() -> None:
    values = [0.001, 0.4, 0.03, 0.9, 0.02, 0.049]
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1])
