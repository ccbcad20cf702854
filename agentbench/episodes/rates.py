"""Shares of episodes with the uncertainty that their number leaves."""

from __future__ import annotations

import math

from agentbench.types import record

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


@record
class Rate:
    """How many of how many, with the 95 % Wilson interval of the underlying probability."""

    count: int
    n: int
    rate: float | None
    """`count / n`; `None` where there is nothing to divide by."""
    low: float
    high: float


def rate(count: int, n: int) -> Rate:
    """The share `count` of `n` independent episodes."""
    low, high = wilson(count, n)
    return Rate(count, n, count / n if n else None, low, high)


def wilson(count: int, n: int, z: float = Z_95) -> tuple[float, float]:
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
