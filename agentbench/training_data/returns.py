"""What episodes and steps earn, and by how much that is more than was to be expected.

Rewards come from the environment's record alone: the category that each carried-out step was given, and the scorers'
verdict on the whole. What the model says about itself is never looked at, and what an environment pays of its own is
not counted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from statistics import fmean, stdev
from typing import NamedTuple

from agentbench.config.stage_rl import AdvantageScale
from agentbench.types import Final, Step, StepCategory

EPSILON = 1e-4
"""Added to standard deviations that are divided by, as in TRL."""

Returns = Sequence[Sequence[float]]
"""The return of each episode, by group."""


class RewardWeights(NamedTuple):
    """What the record is worth."""

    categories: Mapping[StepCategory, float]
    """Of one step, by its category."""
    steps: float = 1.0
    """Weight of all steps' rewards."""
    success: float = 1.0
    """Of final success, given with the last step."""
    unanswered: float = 0.0
    """Of an end without an answer and without success, given with the last step; weighted by `steps` as well."""


class Advantages(NamedTuple):
    """What steps turned out to be worth."""

    advantages: tuple[float, ...]
    """More than their state's value."""
    targets: tuple[float, ...]
    """What the value of their state should have been."""


def path_rewards(steps: Sequence[Step], success: bool, weights: RewardWeights) -> tuple[float, ...]:
    """The reward of every step on the way from the question to an end."""
    earned = [weights.steps * weights.categories[step.category] for step in steps]
    if earned and success:
        earned[-1] += weights.success
    elif earned and not isinstance(steps[-1].decision.action, Final):
        earned[-1] += weights.steps * weights.unanswered
    return tuple(earned)


def group_advantages(returns: Returns, scale: AdvantageScale) -> list[list[float]]:
    """Each return less its group's mean (Shao et al. 2024, §4.1.2), scaled as TRL does."""
    match scale:
        case AdvantageScale.GROUP:
            divisors = [_deviation(group) + EPSILON for group in returns]
        case AdvantageScale.BATCH:
            divisors = [_deviation([*chain.from_iterable(returns)]) + EPSILON] * len(returns)
        case AdvantageScale.NONE:
            divisors = [1.0] * len(returns)
    return [
        [(value - fmean(group)) / divisor for value in group] for group, divisor in zip(returns, divisors, strict=True)
    ]


def leave_one_out(returns: Returns, normalize: bool) -> list[list[float]]:
    """Each return less the mean of the others in its group (RLOO, Ahmadian et al. 2024); 0 for one without others."""
    found = [
        [value - (math.fsum(group) - value) / (len(group) - 1) if len(group) > 1 else 0.0 for value in group]
        for group in returns
    ]
    return whitened(found) if normalize else found


def whitened(values: Returns) -> list[list[float]]:
    """All values together brought to mean 0 and standard deviation 1."""
    every = [*chain.from_iterable(values)]
    if not every:
        return []
    mean, divisor = fmean(every), _deviation(every) + EPSILON
    return [[(value - mean) / divisor for value in group] for group in values]


def gae(rewards: Sequence[float], values: Sequence[float], gamma: float, decay: float) -> Advantages:
    """Generalised advantages over steps (Schulman et al. 2016, eq. 16); nothing is to be earned after the last one.

    An episode that was stopped at the horizon is over like any other: the horizon is part of the task.
    """
    advantage = later = 0.0
    found: list[float] = []
    for reward, value in zip(reversed(rewards), reversed(values), strict=True):
        delta = reward + gamma * later - value  # the residual δ_t = r_t + γ V(s_{t+1}) − V(s_t)
        advantage = delta + gamma * decay * advantage  # eq. 16: A_t = Σ_l (γλ)^l δ_{t+l}
        later = value
        found.append(advantage)
    found.reverse()
    return Advantages(tuple(found), tuple(one + value for one, value in zip(found, values, strict=True)))


def all_equal(returns: Sequence[float]) -> bool:
    """Whether a group teaches nothing."""
    return max(returns) - min(returns) < 1e-9


def _deviation(values: Sequence[float]) -> float:
    """Of the sample; 0 where there are fewer than two."""
    return stdev(values) if len(values) > 1 else 0.0
