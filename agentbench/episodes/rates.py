"""Shares of episodes with the uncertainty that their number leaves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable

from agentbench.episodes.bootstrap import Z_95, ratio, task_bootstrap
from agentbench.types import record


@record
class Rate:
    """How many of how many, with the 95 % interval of the underlying probability."""

    count: int
    n: int
    rate: float | None
    """`count / n`; `None` where there is nothing to divide by."""
    low: float
    high: float


class TaskCounts:
    """Counts played and solved episodes by task, because several episodes of one task say less than as many tasks."""

    def __init__(self) -> None:
        self._played: Counter[str] = Counter()
        self._solved: Counter[str] = Counter()

    def add(self, task_id: str, solved: bool) -> None:
        """Takes one episode into the counts."""
        self._played[task_id] += 1
        self._solved[task_id] += solved

    def rate(self) -> Rate:
        """The share of solved episodes: Wilson's interval where each task was played once, else one over tasks."""
        return clustered_rate([(self._solved[task], played) for task, played in self._played.items()])


def families_solved(episodes: Iterable[tuple[str, int, bool]]) -> Rate:
    """The share of families, by name and sample, whose episodes were all solved; an empty name is none."""
    whole: dict[tuple[str, int], bool] = {}
    for family, sample, solved in episodes:
        if family:
            whole[family, sample] = whole.get((family, sample), True) and solved
    counts = TaskCounts()
    for (family, _), solved in whole.items():
        counts.add(family, solved)
    return counts.rate()


def rate(count: int, n: int) -> Rate:
    """The share `count` of `n` independent episodes, with Wilson's interval."""
    low, high = wilson(count, n)
    return Rate(count, n, count / n if n else None, low, high)


def clustered_rate(tasks: list[tuple[int, int]]) -> Rate:
    """The share of episodes solved, from `(solved, played)` of each task.

    Where a task was played more than once: the bootstrap over tasks; where all tasks came out alike it knows nothing,
    and the interval is Wilson's with every task counted once.
    """
    count, n = sum(solved for solved, _ in tasks), sum(played for _, played in tasks)
    if all(played == 1 for _, played in tasks):
        return rate(count, n)
    share = count / n
    low, high = task_bootstrap(tasks, ratio) or wilson(share * len(tasks), len(tasks))
    return Rate(count, n, share, low, high)


def wilson(count: float, n: int, z: float = Z_95) -> tuple[float, float]:
    """Lower and upper end of the score interval for a proportion; (0, 1) for `n` = 0.

    E. B. Wilson (1927), Probable inference, the law of succession, and statistical inference, JASA 22, 209-212;
    in this form equation 4 of Brown, Cai and DasGupta (2001), Statistical Science 16, 101-133.
    It stays in [0, 1] and keeps close to its nominal coverage for small `n` and rates near 0 or 1.
    """
    if n == 0:
        return (0.0, 1.0)
    p, z2 = count / n, z * z
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = z / (1 + z2 / n) * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    return (0.0 if count == 0 else centre - half, 1.0 if count == n else centre + half)
