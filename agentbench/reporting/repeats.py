"""The same evaluation done several times: what one run's figure says, and how far runs lie apart.

Run k is made of the k-th episodes of all tasks (`samples`). The standard error of the mean over runs is about chance in
the agent alone: tasks are the same in every run, so it says nothing about other tasks. The intervals beside it do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from agentbench.reporting.facts import EpisodeFacts
from agentbench.types import record


@record
class Repeated:
    """A figure over repeated runs."""

    mean: float
    standard_error: float
    """Standard deviation of the runs' figures (n - 1), over the square root of their number."""
    runs: int


def over_runs(episodes: Sequence[EpisodeFacts]) -> dict[str, Repeated]:
    """Success, failures being unsolved, and every score's mean where it judged, for each that two runs or more have."""
    runs: dict[int, list[EpisodeFacts]] = {}
    for episode in episodes:
        runs.setdefault(episode.sample, []).append(episode)
    figures: dict[str, list[float]] = {}
    for played in runs.values():
        for name, value in _figures(played).items():
            figures.setdefault(name, []).append(value)
    return {name: repeated(values) for name, values in figures.items() if len(values) > 1}


def repeated(values: Sequence[float]) -> Repeated:
    """Mean and standard error of two values or more."""
    n = len(values)
    mean = math.fsum(values) / n
    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    return Repeated(mean, math.sqrt(variance / n), n)


def _figures(played: Sequence[EpisodeFacts]) -> Mapping[str, float]:
    """One run's figures."""
    names = sorted({name for episode in played for name in episode.scores} - {"answer"})
    told = {"success": _mean(float(episode.solved) for episode in played)}
    for name in names:
        values = [value for episode in played if (value := episode.scores.get(name)) is not None]
        if values:
            told[name] = _mean(values)
    return told


def _mean(values: Iterable[float]) -> float:
    known = list(values)
    return math.fsum(known) / len(known)
