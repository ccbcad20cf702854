"""How small a difference a sample can still show, worked out before anything is played.

A difference is "shown" when a two-sided test at 5 % finds it with a probability of 80 %. Tasks count, not episodes:
several samples of a task make its own figure more certain and say nothing new about other tasks, so that with them the
sample can show somewhat more than is promised here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from agentbench.episodes.bootstrap import Z_95
from agentbench.types import record

Z_80 = 0.8416212335729143
"""80 % quantile of the standard normal distribution."""
FLIPPED = 0.2
"""Assumed share of tasks that exactly one of two compared runs solves; it is not known before both were played."""


@record
class SmallestDifference:
    """In success, as a share in [0, 1]; `None` where even the largest possible one may stay unseen."""

    unpaired: float | None
    """Against a run on as many other tasks, where about half are solved: the worst case."""
    paired: float | None
    """Against a run on the same tasks, if exactly one of both solves the share `flipped` of them."""
    flipped: float = FLIPPED


def smallest_difference(tasks: int, flipped: float = FLIPPED) -> SmallestDifference:
    """What so many tasks can show."""
    return SmallestDifference(_unpaired(tasks), _paired(tasks, flipped), flipped)


def sentence(tasks: int, samples: int) -> str:
    """What a run of so many tasks can show, as a line for the user."""
    found = smallest_difference(tasks)
    more = f" × {samples} samples (counted as {tasks})" if samples > 1 else ""
    return (
        f"smallest difference in success that {tasks} tasks{more} can show: {_points(found.unpaired)} from a run on"
        f" other tasks; {_points(found.paired)} from one on the same if {100 * found.flipped:.0f} % of them flip"
        " (80 % power, 5 % error)"
    )


def _unpaired(tasks: int) -> float | None:
    """n = (z_a sqrt(2 p̄ q̄) + z_b sqrt(p1 q1 + p2 q2))² / d², at p̄ = 1/2: J. L. Fleiss (1981), Statistical Methods for
    Rates and Proportions, chapter 3, without its correction for continuity."""
    return _solved(tasks, 0.5, lambda d: 0.5 - d * d / 2, most=1.0)


def _paired(tasks: int, flipped: float) -> float | None:
    """n = (z_a sqrt(ψ) + z_b sqrt(ψ - d²))² / d²: R. J. Connor (1987), Sample Size for Testing Differences in
    Proportions for the Paired-Sample Design, Biometrics 43, 207-211."""
    return _solved(tasks, flipped, lambda d: flipped - d * d, most=flipped)


def _solved(tasks: int, null_variance: float, variance: Callable[[float], float], *, most: float) -> float | None:
    """The d in (0, most] at which n is `tasks`, by bisection: n falls with d."""

    def needed(d: float) -> float:
        return (Z_95 * math.sqrt(null_variance) + Z_80 * math.sqrt(max(variance(d), 0.0))) ** 2 / (d * d)

    if tasks < 1 or needed(most) > tasks:
        return None
    low, high = 0.0, most
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if middle and needed(middle) <= tasks else (middle, high)
    return high


def _points(difference: float | None) -> str:
    return "none" if difference is None else f"{100 * difference:.1f} points"
