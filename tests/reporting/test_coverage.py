"""How often intervals hold the figure they are about, by simulation; seeded, so that a test always sees the same."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from agentbench.episodes.rates import clustered_rate, wilson
from agentbench.reporting.judged import Verdict, judged_success
from agentbench.reporting.paired import agresti_min

RUNS = 1000
"""Chance alone moves a share of 95 % by 0.7 points (sqrt(0.95 · 0.05 / 1000))."""


def inside(ends: tuple[float, float], truth: float) -> bool:
    return ends[0] <= truth <= ends[1]


@pytest.mark.parametrize(("n", "rate"), [(100, 0.37), (400, 0.37), (500, 0.3), (150, 0.9)])
def test_wilsons_interval_holds_the_rate_with_a_probability_of_93_to_97_per_cent(n: int, rate: float) -> None:
    held = [count for count in range(n + 1) if inside(wilson(count, n), rate)]
    assert 0.93 <= stats.binom.pmf(held, n, rate).sum() <= 0.97


def test_wilsons_interval_holds_the_rate_in_93_to_97_of_100_simulated_runs() -> None:
    solved = np.random.default_rng(0).binomial(400, 0.37, size=RUNS)
    share = np.mean([inside(wilson(int(count), 400), 0.37) for count in solved])
    assert 0.93 <= share <= 0.97


def test_the_interval_over_tasks_holds_the_rate_where_samples_of_a_task_resemble_each_other() -> None:
    # each task has a rate of its own, Beta(1.2, 2.0): mean 1.2 / 3.2 = 0.375; four samples of 100 tasks
    rng, held, naive, runs = np.random.default_rng(0), 0, 0, RUNS // 2
    for _run in range(runs):
        solved = rng.binomial(4, rng.beta(1.2, 2.0, size=100))
        found = clustered_rate([(int(count), 4) for count in solved])
        held += inside((found.low, found.high), 0.375)
        naive += inside(wilson(int(solved.sum()), 400), 0.375)
    assert 0.93 <= held / runs <= 0.97
    assert naive / runs < 0.90  # Wilson's over episodes, which takes samples for tasks, is too sure


def test_the_paired_interval_holds_the_difference() -> None:
    # both 0.40, only the first 0.12, only the second 0.20, neither 0.28: the difference is 0.08
    tables = np.random.default_rng(1).multinomial(150, (0.40, 0.12, 0.20, 0.28), size=RUNS)
    share = np.mean([inside(agresti_min(int(first), int(second), 150), 0.08) for _, first, second, _ in tables])
    assert 0.93 <= share <= 0.97


@pytest.mark.parametrize("labelled", [20, 60])
def test_a_judges_corrected_figure_is_as_unsure_as_its_few_labels(labelled: int) -> None:
    # solved 0.55; the judge is right about 0.9 of the solved and 0.7 of the others
    rng, held, runs = np.random.default_rng(3), 0, RUNS // 2
    for _run in range(runs):
        solved = rng.random(150) < 0.55
        judged = rng.random(150) < np.where(solved, 0.9, 0.3)
        verdicts = [
            Verdict(str(task), bool(judged[task]), bool(solved[task]) if task < labelled else None)
            for task in range(150)
        ]
        found = judged_success(verdicts).corrected
        held += found.low is not None and found.high is not None and inside((found.low, found.high), 0.55)
    assert 0.93 <= held / runs <= 0.98


def test_a_judges_figure_corrected_by_labels_holds_the_truth_and_the_raw_one_does_not() -> None:
    # solved 0.5; the judge calls 0.95 of the solved and 0.25 of the others solved: 0.5 · 0.95 + 0.5 · 0.25 = 0.6
    rng, held, raw, runs = np.random.default_rng(2), 0, 0, RUNS // 2
    for _run in range(runs):
        solved = rng.random(400) < 0.5
        judged = rng.random(400) < np.where(solved, 0.95, 0.25)
        labelled = rng.random(400) < 0.4
        verdicts = [
            Verdict(str(task), bool(judged[task]), bool(solved[task]) if labelled[task] else None)
            for task in range(400)
        ]
        found = judged_success(verdicts)
        assert found.corrected.low is not None and found.corrected.high is not None
        held += inside((found.corrected.low, found.corrected.high), 0.5)
        raw += inside((found.by_judge.low, found.by_judge.high), 0.5)
    assert 0.93 <= held / runs <= 0.97
    assert raw / runs < 0.1
