"""How small a difference a sample can show."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import power_proportions_2indep

from agentbench.reporting.power import sentence, smallest_difference


@pytest.mark.parametrize("tasks", [40, 150, 2000])
def test_statsmodels_gives_the_unpaired_difference_a_power_of_80_per_cent(tasks: int) -> None:
    d = smallest_difference(tasks).unpaired
    assert d is not None
    found = power_proportions_2indep(d, 0.5 - d / 2, tasks, return_results=False)
    assert found == pytest.approx(0.80, abs=0.002)


def test_the_paired_difference_of_150_tasks_is_the_one_worked_out_by_hand() -> None:
    # d² n = (1.959964 sqrt(0.2) + 0.841621 sqrt(0.2 - d²))²; d = 0.1012: (0.876522 + 0.841621 · 0.435611)² = 1.543999,
    # and 0.1012² · 150 = 1.536
    d = smallest_difference(150).paired
    assert d is not None and d == pytest.approx(0.1014, abs=2e-4)
    assert d * math.sqrt(150) == pytest.approx(1.959964 * math.sqrt(0.2) + 0.841621 * math.sqrt(0.2 - d * d), rel=1e-6)


def test_a_simulated_mcnemar_test_finds_the_paired_difference_four_times_in_five() -> None:
    d = smallest_difference(400).paired
    assert d is not None
    rng = np.random.default_rng(0)
    tables = rng.multinomial(400, ((0.2 + d) / 2, (0.2 - d) / 2, 0.8), size=2000)
    chi = (tables[:, 0] - tables[:, 1]) ** 2 / (tables[:, 0] + tables[:, 1])
    assert np.mean(chi > stats.chi2.ppf(0.95, 1)) == pytest.approx(0.80, abs=0.03)


def test_too_few_tasks_show_nothing_and_the_sentence_says_so() -> None:
    assert smallest_difference(20).paired is None and smallest_difference(0).unpaired is None
    assert "none from one on the same" in sentence(20, 1)
    assert "20 tasks × 4 samples (counted as 20)" in sentence(20, 4)
