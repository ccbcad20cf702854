"""From the episodes of a rollout to what TRL's losses read: rows in groups, advantages, padded tensors.

Dimensions in names: B rows, P prompt tokens, C completion tokens, L both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import fmean, pstdev
from typing import NamedTuple, cast

import torch
from trl.trainer.utils import pad

from agentbench.episodes.state_values import advantages as step_advantages
from agentbench.training_data.returns import Returns, RewardWeights, all_equal
from agentbench.training_data.rl_rows import RlRow, rl_rows
from agentbench.types import EndReason, Outcome, Step, Trajectory


class Counts(NamedTuple):
    """What a rollout held, and what of it is left out."""

    episodes: int
    errors: int
    """Episodes that ended with an error or could not be scored; they are left out."""
    too_long: int
    rewritten: int
    groups: int
    dead_groups: int
    """Groups whose episodes all earned the same."""


class Rules(NamedTuple):
    """What makes rows of episodes."""

    weights: RewardWeights
    max_length: int
    """Longest row, in tokens."""
    drop_equal: bool
    """Leave out groups that teach nothing."""


class Episodes(NamedTuple):
    """The rows of a rollout, by group, then by episode."""

    groups: tuple[tuple[tuple[RlRow, ...], ...], ...]
    counts: Counts
    earned: tuple[float, ...]
    """The return of every episode that could be scored, dead groups included."""

    @property
    def returns(self) -> list[list[float]]:
        """The return of each episode, by group."""
        return [[episode[0].earned for episode in group] for group in self.groups]

    @property
    def rows(self) -> list[RlRow]:
        """All rows; those of a group stand side by side."""
        return [row for group in self.groups for episode in group for row in episode]


class View(NamedTuple):
    """Which tokens of padded rows are there, and which of them are scored."""

    attention_BL: torch.Tensor
    sampled_BC: torch.Tensor


def episodes_of(trajectories: Sequence[Trajectory], rules: Rules) -> Episodes:
    """The rows that can be learnt from. An episode counts once for each way through its tree.

    Steps of trees are credited by the values of states, that is by success alone; those of other episodes together, by
    what their whole episode earned.
    """
    by_group: dict[str, list[tuple[RlRow, ...]]] = {}
    errors = too_long = rewritten = 0
    for trajectory in trajectories:
        made = rl_rows(trajectory, rules.weights, rules.max_length, _credit(trajectory))
        errors, too_long, rewritten = errors + made.failed, too_long + made.too_long, rewritten + made.rewritten
        by_group.setdefault(trajectory.task.id, []).extend(_by_path(made.rows))
    groups = [tuple(group) for group in by_group.values() if group]
    dead = [_is_dead(group) for group in groups]
    kept = tuple(group for group, gone in zip(groups, dead, strict=True) if not (gone and rules.drop_equal))
    counts = Counts(len(trajectories), errors, too_long, rewritten, len(groups), sum(dead))
    return Episodes(kept, counts, tuple(episode[0].earned for group in groups for episode in group))


def row_advantages(episodes: Episodes, of_groups: Returns) -> list[float]:
    """The advantage of every row's episode, in the order of `episodes.rows`."""
    pairs = zip(episodes.groups, of_groups, strict=True)
    return [one for group, values in pairs for episode, one in zip(group, values, strict=True) for _ in episode]


def token_advantages(rows: Sequence[RlRow], of_rows: Sequence[float]) -> list[float] | list[list[float]]:
    """One advantage per row; where trees give some to their steps, one per token, its step's or its row's."""
    if not any(row.advantages for row in rows):
        return list(of_rows)
    return [
        [row.advantages[step] if row.advantages else one for step in row.step_of_token]
        for row, one in zip(rows, of_rows, strict=True)
    ]


def chunks(rows: int, count: int) -> list[range]:
    """`count` stretches of nearly the same length; some are empty where there are fewer rows."""
    ends = [rows * number // count for number in range(count + 1)]
    return [range(start, end) for start, end in pairwise(ends)]


def tensors(rows: Sequence[RlRow], pad_id: int, device: torch.device, height: int = 1) -> dict[str, torch.Tensor]:
    """Rows as TRL pads them: prompts to the left, completions to the right.

    Where there are fewer than `height`, rows of a single token that is not scored make them up: every forward pass
    computes something.
    """
    blank = max(0, height - len(rows))
    prompts: Sequence[Sequence[int]] = [*(row.prompt_ids for row in rows), *[[pad_id]] * blank]
    completions: Sequence[Sequence[int]] = [*(row.completion_ids for row in rows), *[[pad_id]] * blank]
    masks: Sequence[Sequence[int]] = [*(row.mask for row in rows), *[[0]] * blank]
    logprobs: Sequence[Sequence[float]] = [*(row.logprobs for row in rows), *[[0.0]] * blank]
    found = {
        "prompt_ids": _padded(prompts, pad_id, "left"),
        "prompt_mask": _padded([[1] * len(ids) for ids in prompts], 0, "left"),
        "completion_ids": _padded(completions, pad_id, "right"),
        "completion_mask": _padded([[1] * len(ids) for ids in completions], 0, "right"),
        "tool_mask": _padded(masks, 0, "right"),
        "sampling_per_token_logps": _padded(logprobs, 0.0, "right"),
    }
    return {name: tensor.to(device) for name, tensor in found.items()}


def advantage_tensor(advantages: Sequence[float] | Sequence[Sequence[float]], height: int = 1) -> torch.Tensor:
    """One advantage per row, as (B,), or one per token, as (B, C); zeros for rows that are lacking to `height`."""
    blank = max(0, height - len(advantages))
    if advantages and isinstance(advantages[0], Sequence):
        return _padded([*cast(Sequence[Sequence[float]], advantages), *[[0.0]] * blank], 0.0, "right")
    return torch.tensor([*advantages, *[0.0] * blank], dtype=torch.float32)


def figures(trajectories: Sequence[Trajectory], episodes: Episodes) -> dict[str, float]:
    """What is logged of a rollout."""
    ended = [episode for episode in trajectories if episode.end is not EndReason.ERROR]
    steps = [step for episode in ended for step in episode.history.steps]
    counts, rows = episodes.counts, episodes.rows
    return {
        "reward": _mean(episodes.earned),
        "reward_std": pstdev(episodes.earned) if episodes.earned else math.nan,
        "success": _mean([episode.success for episode in ended]),
        "steps": len(steps) / max(1, len(ended)),
        "failed_steps": _mean([_failed(step) for step in steps]),
        "truncated": _mean([episode.truncated for episode in ended]),
        "episodes": counts.episodes,
        "errors": counts.errors,
        "left_out_too_long": counts.too_long,
        "rewritten_rows": counts.rewritten,
        "groups": counts.groups,
        "dead_groups": counts.dead_groups / max(1, counts.groups),
        "rows": len(rows),
        "tokens": sum(row.length for row in rows),
        "completion_tokens": sum(len(row.completion_ids) for row in rows),
        "sampled_tokens": sum(sum(row.mask) for row in rows),
    }


def _credit(trajectory: Trajectory) -> dict[int, float] | None:
    """By how much each step of a tree is worth more than its state; `None` for what is no tree."""
    return step_advantages(trajectory) if any(step.branches for step in trajectory.history.steps) else None


def _by_path(rows: Sequence[RlRow]) -> Iterator[tuple[RlRow, ...]]:
    found: dict[int, list[RlRow]] = {}
    for row in rows:
        found.setdefault(row.path, []).append(row)
    return (tuple(group) for group in found.values())


def _is_dead(group: Sequence[tuple[RlRow, ...]]) -> bool:
    """A group whose steps have advantages of their own is judged by these."""
    own = [one for episode in group for row in episode for one in row.advantages]
    return all_equal([0.0, *own]) if own else all_equal([episode[0].earned for episode in group])


def _failed(step: Step) -> bool:
    return step.observation.outcome is not Outcome.OK


def _mean(values: Sequence[float]) -> float:
    return fmean(values) if values else math.nan


def _padded(rows: Sequence[Sequence[float]], value: float, side: str) -> torch.Tensor:
    dtype = torch.float32 if isinstance(value, float) else torch.long
    return pad([torch.tensor(row, dtype=dtype) for row in rows], padding_value=value, padding_side=side)  # type: ignore[arg-type]
