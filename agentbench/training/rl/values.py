"""States, their values, and the losses of proximal policy optimisation; nothing here knows a trainer.

A state is where the agent is about to act: its value is read off the hidden state from which the step's first token is
drawn. What an expert does meanwhile is the environment's doing, and what it earns counts for the agent's step before.

Dimensions in names: B rows, C completion tokens, D hidden size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from agentbench.training_data.rl_rows import RlRow


class Ppo(NamedTuple):
    """The coefficients of the loss."""

    clip: float
    value_clip: float | None
    value_weight: float
    beta: float
    entropy_bonus: float


class Scored(NamedTuple):
    """What the model makes of rows; 0 where nothing was sampled."""

    logps_BC: Tensor
    entropies_BC: Tensor
    values_BC: Tensor
    """Of the state from which each token is drawn."""


class Before(NamedTuple):
    """The same rows by the model that played them, and what came of it."""

    logps_BC: Tensor
    values_BC: Tensor
    advantages_BC: Tensor
    """Of each token: its step's."""
    targets_BC: Tensor
    """What values should have been; only looked at in states."""
    reference_BC: Tensor | None = None


class Marks(NamedTuple):
    """Which tokens are sampled, and which of them begin a step."""

    sampled_BC: Tensor
    states_BC: Tensor


class Losses(NamedTuple):
    """Sums over the rows; what they are divided by is the trainer's."""

    policy: Tensor
    value: Tensor
    kl: Tensor
    entropy: Tensor
    clipped: Tensor
    """Sampled tokens whose ratio earned nothing more."""


def states(row: RlRow) -> tuple[tuple[int, int], ...]:
    """Every step that the agent took in a row, and the index of its first sampled token."""
    found: dict[int, int] = {}
    for place, (step, sampled) in enumerate(zip(row.step_of_token, row.mask, strict=True)):
        if sampled:
            found.setdefault(step, place)
    return tuple(found.items())


def own_rewards(rewards: Sequence[float], steps: Sequence[int]) -> tuple[float, ...]:
    """What each of the agent's steps earned, with all that came before its next one."""
    ends = (*steps[1:], len(rewards))
    return tuple(math.fsum(rewards[start:end]) for start, end in zip(steps, ends, strict=True))


def losses(now: Scored, before: Before, marks: Marks, ppo: Ppo) -> Losses:
    """The terms of the objective of Schulman et al. 2017, signs turned so that less is better."""
    sampled_BC, states_BC = marks.sampled_BC.bool(), marks.states_BC.bool()
    ratio = (now.logps_BC - before.logps_BC)[sampled_BC].exp()
    advantage = before.advantages_BC[sampled_BC]
    clipped = ratio.clamp(1 - ppo.clip, 1 + ppo.clip)
    gain = torch.minimum(ratio * advantage, clipped * advantage)  # eq. 7: min(r A, clip(r, 1 − ε, 1 + ε) A)
    reference_BC = before.logps_BC if before.reference_BC is None else before.reference_BC
    log_ratio = (reference_BC - now.logps_BC)[sampled_BC]
    return Losses(
        policy=-gain.sum(),
        value=_value_loss(now.values_BC[states_BC], before, states_BC, ppo.value_clip).sum(),
        kl=(log_ratio.exp() - log_ratio - 1).sum(),  # k3 of Schulman 2020, as in GRPO (Shao et al. 2024, eq. 4)
        entropy=now.entropies_BC[sampled_BC].sum(),
        clipped=((ratio - clipped) * advantage > 0).sum(),
    )


def total(found: Losses, ppo: Ppo, tokens: float, states_: float) -> Tensor:
    """Eq. 9, less the KL term: −L^CLIP + c₁ L^VF − c₂ S, means over tokens and over states."""
    tokens, states_ = max(1.0, tokens), max(1.0, states_)
    by_token = found.policy + ppo.beta * found.kl - ppo.entropy_bonus * found.entropy
    return by_token / tokens + ppo.value_weight * found.value / states_


def _value_loss(value: Tensor, before: Before, states_BC: Tensor, limit: float | None) -> Tensor:
    """Eq. 9: (V − V^targ)²; with a limit the worse of this and that of a value that moved no further."""
    target, old = before.targets_BC[states_BC], before.values_BC[states_BC]
    apart = (value - target).square()
    if limit is None:
        return apart
    near = old + (value - old).clamp(-limit, limit)
    return torch.maximum(apart, (near - target).square())
