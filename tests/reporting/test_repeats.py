"""Figures over repeated runs, worked out by hand."""

from __future__ import annotations

import pytest

from agentbench.reporting.facts import EpisodeFacts
from agentbench.reporting.repeats import Repeated, over_runs, repeated


def episode(task: str, sample: int, solved: bool, **scores: float | None) -> EpisodeFacts:
    told = {"answer": float(solved), **scores}
    return EpisodeFacts(
        task=task,
        sample=sample,
        asked="",
        groups={},
        family="",
        solved=solved,
        failure="",
        turns=(),
        categories=(),
        measures={},
        scores=told,
    )


def tuple_of(figure: Repeated) -> tuple[float, float, int]:
    return (figure.mean, figure.standard_error, figure.runs)


def test_the_standard_error_is_the_deviation_of_runs_over_the_root_of_their_number() -> None:
    # mean 0.5; deviations -0.25, 0, 0.25: variance 0.125 / 2, over 3 runs: √0.0208333 = 0.1443376
    assert tuple_of(repeated([0.25, 0.5, 0.75])) == pytest.approx((0.5, 0.1443376, 3))


def test_a_run_is_made_of_the_same_sample_of_all_tasks() -> None:
    played = [
        episode("a", 0, True, rating=1.0),
        episode("b", 0, False, rating=0.5),
        episode("a", 1, True, rating=0.5),
        episode("b", 1, True, rating=None),
    ]
    found = over_runs(played)
    # success 0.5 and 1: mean 0.75, standard error √(0.125 / 2) = 0.25; rating 0.75 and 0.5, whose judge failed once
    assert tuple_of(found["success"]) == pytest.approx((0.75, 0.25, 2))
    assert tuple_of(found["rating"]) == pytest.approx((0.625, 0.125, 2))


def test_one_run_says_nothing_about_others() -> None:
    assert over_runs([episode("a", 0, True), episode("b", 0, False)]) == {}
