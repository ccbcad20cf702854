"""Two runs on the same tasks: how far their success differs, and whether chance explains it.

T tasks; a task's difference is the share of its episodes that the second run solved, less the first run's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np

from agentbench.episodes.bootstrap import Z_95, Ends, ratio, task_bootstrap
from agentbench.types import record


class Pair(NamedTuple):
    """One task in two runs: solved and played episodes of either."""

    first: tuple[int, int]
    second: tuple[int, int]

    @property
    def difference(self) -> Fraction:
        """Share solved by the second less the share solved by the first, exactly."""
        return Fraction(*self.second) - Fraction(*self.first)


@record
class PairedDifference:
    """The second run's success less the first's, over the tasks that both have."""

    tasks: int
    value: float
    low: float
    high: float
    only_first: int
    """Tasks in which the first run solved the larger share."""
    only_second: int
    p: float
    """Probability of a difference at least as large if the two runs' labels meant nothing; exact."""


def paired_difference(pairs: Sequence[Pair], seed: int = 0) -> PairedDifference:
    """The difference over at least one task, with interval and test.

    With one episode per task and run the interval is Agresti and Min's and the test McNemar's exact one; with more, the
    bootstrap over tasks and the sign-flip test over tasks, of which McNemar's is the special case.
    """
    differences = [pair.difference for pair in pairs]
    value = float(sum(differences) / len(differences))
    lost, gained = sum(each < 0 for each in differences), sum(each > 0 for each in differences)
    single = all(pair.first[1] == pair.second[1] == 1 for pair in pairs)
    ends = None if single else task_bootstrap([(float(each), 1.0) for each in differences], ratio, seed)
    low, high = ends or agresti_min(lost, gained, len(pairs))
    return PairedDifference(len(pairs), value, low, high, lost, gained, sign_flip_p(differences))


def agresti_min(only_first: int, only_second: int, tasks: int) -> Ends:
    """95 % interval for a difference of paired proportions: Wald's after half a task was added to each of four cells.

    A. Agresti and Y. Min (2005), Simple improved confidence intervals for comparing matched proportions, Statistics in
    Medicine 24, 729-740.
    """
    n, apart = tasks + 2, only_second - only_first
    middle = apart / n
    half = Z_95 * math.sqrt(only_first + only_second + 1 - apart * apart / n) / n
    return Ends(max(-1.0, middle - half), min(1.0, middle + half))


def sign_flip_p(differences: Sequence[Fraction]) -> float:
    """Two-sided p of the sum of differences if each one's sign were a coin's; exact, by adding up all 2^T outcomes.

    Differences of -1, 0 and 1 give McNemar's exact test (Q. McNemar (1947), Psychometrika 12, 153-157).
    """
    scale = math.lcm(*(each.denominator for each in differences))
    sizes = sorted(abs(int(each * scale)) for each in differences if each)
    if not sizes:
        return 1.0
    total = sum(sizes)
    shares = np.zeros(2 * total + 1)  # shares[total + s] is the probability of the sum s so far
    shares[total] = 1.0
    reach = 0
    for size in sizes:
        before = shares[total - reach : total + reach + 1].copy()
        reach += size
        shares[total - reach : total + reach + 1] = 0.0
        shares[total - reach : total - reach + len(before)] += before / 2
        shares[total + reach + 1 - len(before) : total + reach + 1] += before / 2
    seen = abs(int(sum(differences) * scale))
    return min(1.0, float(shares[: total - seen + 1].sum() + shares[total + seen :].sum())) if seen else 1.0


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """The p values corrected for their number: S. Holm (1979), Scandinavian Journal of Statistics 6, 65-70."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        corrected[index] = highest
    return tuple(corrected)
