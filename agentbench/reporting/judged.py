"""What a judge's errors do to the success it reports.

A judge sees every episode and errs; truth is known for some. The mean of its verdicts is corrected by its mean error
where truth is known, and the interval holds both uncertainties: prediction-powered inference (A. N. Angelopoulos,
S. Bates, C. Fannjiang, M. I. Jordan, T. Zrnic (2023), Science 382, 669-674), with the bootstrap over tasks in place of
the normal approximation. Unlike Rogan and Gladen's correction it needs no constant error rates and cannot leave the
judged episodes' range by dividing by a small number. It is unbiased if the labelled episodes are a random draw of the
judged ones; a hand-picked sample makes it say something else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agentbench.episodes.bootstrap import Floats, task_bootstrap
from agentbench.episodes.rates import Rate, TaskCounts, rate
from agentbench.reporting.estimates import NOTHING, Estimate
from agentbench.types import record


class Verdict(NamedTuple):
    """One judged episode."""

    task: str
    judged: bool
    """The judge calls it solved."""
    label: bool | None
    """Whether it was solved; `None` where nobody knows."""


@record
class JudgedSuccess:
    """Success by a judge, what is known of its errors, and success corrected by them."""

    by_judge: Rate
    labelled: int
    """Judged episodes whose truth is known."""
    sensitivity: Rate
    """Share of the solved ones that the judge calls solved."""
    specificity: Rate
    """Share of the unsolved ones that the judge calls unsolved."""
    corrected: Estimate
    """Success by the judge, less its mean error; without a value where nothing is labelled."""


def judged_success(verdicts: Sequence[Verdict], seed: int = 0) -> JudgedSuccess:
    """The judge's figure beside the corrected one."""
    counts = TaskCounts()
    for verdict in verdicts:
        counts.add(verdict.task, verdict.judged)
    solved = [verdict.judged for verdict in verdicts if verdict.label is True]
    unsolved = [verdict.judged for verdict in verdicts if verdict.label is False]
    return JudgedSuccess(
        counts.rate(),
        len(solved) + len(unsolved),
        rate(sum(solved), len(solved)),
        rate(len(unsolved) - sum(unsolved), len(unsolved)),
        _corrected(verdicts, seed),
    )


def _corrected(verdicts: Sequence[Verdict], seed: int) -> Estimate:
    columns: dict[str, list[float]] = {}
    for task, judged, label in verdicts:
        sums = columns.setdefault(task, [0.0, 0.0, 0.0, 0.0])
        sums[0] += judged
        sums[1] += 1
        if label is not None:
            sums[2] += label - judged
            sums[3] += 1
    judged, seen, error, labelled = (
        (sum(column) for column in zip(*columns.values(), strict=True)) if columns else _NONE
    )
    if not labelled:
        return NOTHING
    value = min(1.0, max(0.0, judged / seen + error / labelled))
    tasks_labelled = sum(bool(sums[3]) for sums in columns.values())
    low, high = task_bootstrap(list(columns.values()), _prediction_powered, seed, tasks_labelled) or (None, None)
    return Estimate(value, low, high, len(columns))


_NONE = (0.0, 0.0, 0.0, 0.0)


def _prediction_powered(sums_RC: Floats) -> Floats:
    """Mean verdict plus mean error, per resample; those without a label fall out."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        figures = sums_RC[:, 0] / sums_RC[:, 1] + sums_RC[:, 2] / sums_RC[:, 3]
    return np.clip(figures, 0.0, 1.0)
