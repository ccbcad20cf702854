"""A judge's figure and what is left of it once its errors are known."""

from __future__ import annotations

import pytest

from agentbench.reporting.judged import Verdict, judged_success


def verdicts(*counts: tuple[int, bool, bool | None]) -> list[Verdict]:
    spread = [(judged, label) for count, judged, label in counts for _ in range(count)]
    return [Verdict(str(task), judged, label) for task, (judged, label) in enumerate(spread)]


def test_the_correction_is_the_judges_mean_less_its_mean_error() -> None:
    # 60 of 100 judged solved; of 20 labelled ones the judge finds 11 solved, and 8 are: 0.60 + (8 - 11) / 20 = 0.45
    found = judged_success(
        verdicts((8, True, True), (3, True, False), (9, False, False), (49, True, None), (31, False, None))
    )
    assert found.by_judge.rate == 0.60 and found.labelled == 20
    assert found.corrected.value == pytest.approx(0.45)
    assert (found.sensitivity.rate, found.specificity.rate) == (1.0, 9 / 12)


def test_where_all_is_labelled_the_labels_are_the_figure() -> None:
    found = judged_success(verdicts((10, True, False), (10, False, True), (20, True, True)))
    assert found.by_judge.rate == found.corrected.value == 0.75  # 30 of 40 either way
    only = judged_success(verdicts((10, True, False), (30, True, True)))
    assert (only.by_judge.rate, only.corrected.value) == (1.0, 0.75)


def test_without_labels_nothing_is_corrected() -> None:
    found = judged_success(verdicts((5, True, None), (5, False, None)))
    assert found.corrected.value is None and found.sensitivity.rate is None and found.by_judge.rate == 0.5


def test_the_interval_is_wider_than_the_judges_own_and_never_leaves_zero_to_one() -> None:
    few = judged_success(verdicts((2, True, True), (1, True, False), (1, False, True), (96, True, None)))
    low, high = few.corrected.low, few.corrected.high
    assert low is not None and high is not None and 0.0 <= low < high <= 1.0
    assert high - low > few.by_judge.high - few.by_judge.low
