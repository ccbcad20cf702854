"""Figures over tasks with 95 % intervals; all resampling is by task and seeded."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from agentbench.episodes.bootstrap import ratio, task_bootstrap
from agentbench.episodes.rates import wilson
from agentbench.types import record


@record
class Estimate:
    """A figure and its 95 % interval; ends are `None` where the sample says nothing about them."""

    value: float | None
    """`None` where there is nothing to work it out from."""
    low: float | None
    high: float | None
    n: int
    """Tasks it rests on."""


NOTHING = Estimate(None, None, None, 0)


def mean(values: Iterable[tuple[str, float]], seed: int = 0) -> Estimate:
    """The mean over episodes, from `(task id, value)` of each."""
    sums: dict[str, list[float]] = {}
    for task, value in values:
        total = sums.setdefault(task, [0.0, 0.0])
        total[0] += value
        total[1] += 1
    if not sums:
        return NOTHING
    columns = list(sums.values())
    value = math.fsum(total for total, _ in columns) / sum(count for _, count in columns)
    ends = task_bootstrap(columns, ratio, seed)
    low, high = ends or (None, None)
    return Estimate(value, low, high, len(columns))


def mean_share(shares: Sequence[float], seed: int = 0) -> Estimate:
    """The mean of one value in [0, 1] per task; Wilson's interval where all are alike and resampling knows nothing."""
    if not shares:
        return NOTHING
    value, n = math.fsum(shares) / len(shares), len(shares)
    low, high = task_bootstrap([(share, 1.0) for share in shares], ratio, seed) or wilson(value * n, n)
    return Estimate(value, low, high, n)


def pass_at(solved: int, played: int, k: int) -> float:
    """Probability that at least one of k episodes, drawn from those played, is solved; 1 ≤ k ≤ played.

    M. Chen et al. (2021), Evaluating Large Language Models Trained on Code, arXiv:2107.03374, equation 1; unbiased.
    """
    return 1.0 - math.comb(played - solved, k) / math.comb(played, k)


def pass_all(solved: int, played: int, k: int) -> float:
    """Probability that all of k episodes, drawn from those played, are solved: pass^k; 1 ≤ k ≤ played.

    S. Yao et al. (2024), τ-bench, arXiv:2406.12045; unbiased.
    """
    return math.comb(solved, k) / math.comb(played, k)


def several(counts: Mapping[str, tuple[int, int]], seed: int = 0) -> tuple[dict[int, Estimate], dict[int, Estimate]]:
    """pass@k and pass^k over tasks, from `(solved, played)` of each, for k = 1, 2, 4 … up to the fewest episodes."""
    fewest = min((played for _, played in counts.values()), default=0)
    powers = [2**power for power in range(fewest.bit_length())]
    ks = [k for k in dict.fromkeys([*powers, fewest]) if 1 <= k <= fewest]
    any_solved = {k: mean_share([pass_at(*count, k) for count in counts.values()], seed) for k in ks}
    all_solved = {k: mean_share([pass_all(*count, k) for count in counts.values()], seed) for k in ks}
    return any_solved, all_solved
