"""Intervals for figures over tasks of which some were played more than once.

Episodes of one task resemble each other, so tasks are drawn anew, with all their episodes, and not episodes: the
cluster bootstrap (A. C. Davison and D. V. Hinkley (1997), Bootstrap Methods and their Application). With few tasks a
percentile interval is too short: it lacks a variance's factor n / (n - 1) and Student's t. T. Hesterberg (2015), What
Teachers Should Know About the Bootstrap, The American Statistician 69(4), 371-386, takes wider percentiles, as here.

T tasks, C columns of sums, K kinds of task with equal sums, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""
RESAMPLES = 2000
_AT_ONCE = 1_000_000
"""Most counts in memory."""

Floats: TypeAlias = "NDArray[np.float64]"
Statistic = Callable[[Floats], Floats]
"""From the column sums of R resamples (R, C) to R figures; NaN where one cannot be worked out."""


class Ends(NamedTuple):
    """An interval."""

    low: float
    high: float


def task_bootstrap(columns_TC: Any, statistic: Statistic, seed: int = 0, told_by: int | None = None) -> Ends | None:
    """95 % interval of a figure that is worked out from columns of per-task sums; the same for the same seed.

    `told_by` is how many of the tasks the figure's variance mostly comes from, where that is not all of them.
    `None` where it says nothing: fewer than two tasks, or figures that never differ.
    """
    import numpy as np

    columns = np.asarray(columns_TC, dtype=np.float64)
    tasks = len(columns)
    if tasks < 2:
        return None
    kinds_KC, counts_K = np.unique(columns, axis=0, return_counts=True)  # tasks that came out alike are drawn together
    rng = np.random.default_rng(seed)
    size = max(1, min(RESAMPLES, _AT_ONCE // len(kinds_KC)))
    drawn = (
        rng.multinomial(tasks, counts_K / tasks, size=min(size, RESAMPLES - start))
        for start in range(0, RESAMPLES, size)
    )
    figures = np.concatenate([statistic(drawn_RK @ kinds_KC) for drawn_RK in drawn])
    figures = figures[np.isfinite(figures)]
    if not figures.size or np.ptp(figures) < 1e-12:
        return None
    tail = _tail(tasks if told_by is None else max(2, told_by))
    low, high = np.quantile(figures, (tail, 1 - tail))
    return Ends(float(low), float(high))


def ratio(sums_RC: Floats) -> Floats:
    """The first column's sum over the second's."""
    import numpy as np

    with np.errstate(divide="ignore", invalid="ignore"):
        return sums_RC[:, 0] / sums_RC[:, 1]


def _tail(tasks: int) -> float:
    """Share cut off at either end: Φ(-sqrt(n / (n - 1)) · t), t being the 97.5 % quantile for n - 1 degrees."""
    return _normal_cdf(-math.sqrt(tasks / (tasks - 1)) * t_975(tasks - 1))


def t_975(degrees: int) -> float:
    """97.5 % quantile of Student's t, by Abramowitz and Stegun 26.7.5; within 1 % from 3 degrees of freedom on."""
    z = Z_95
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / degrees**power for power, term in enumerate(terms, 1))


def _normal_cdf(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2
