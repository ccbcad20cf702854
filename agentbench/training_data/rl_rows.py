"""Episodes as rows for reinforcement learning: the tokens as they were sampled, and what each step earned.

A row is a first prompt and all that came after it: completions, which are trained on, and between them what the
environment (or an expert) put there, which is not. It holds for every template whose prompts grow by appending. Where a
template writes its history anew, the tokens of a step were never seen behind those of the step before; a new row begins
there, and is counted.

A tree of trajectories gives one row for every way from its root to a leaf. A step that several of them share is trained
on in the first one alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from agentbench.errors import DataError
from agentbench.training_data.returns import RewardWeights, path_rewards
from agentbench.types import Actor, EndReason, Generation, Score, Step, Trajectory, record


@record
class RlRow:
    """One stretch of an episode. Completion, mask, log-probabilities and steps are of the same length."""

    group: str
    """The task; episodes of one group are compared with each other."""
    sample: int
    """Which episode of the task it is."""
    path: int
    """Which way through a tree, the executed one is 0."""
    prompt_ids: tuple[int, ...]
    completion_ids: tuple[int, ...]
    mask: tuple[int, ...]
    """1 on tokens that the agent sampled and that this row trains."""
    logprobs: tuple[float, ...]
    """Of the sampled tokens, as the engine recorded them; 0 elsewhere."""
    step_of_token: tuple[int, ...]
    """Index of the step that a token is part of; what the environment answered is part of the step that asked."""
    rewards: tuple[float, ...]
    """Of every step of the path, those of other rows included."""
    success: bool
    advantages: tuple[float, ...] = ()
    """Of every step of the path, where a tree gives them; empty where the group is to."""

    @property
    def earned(self) -> float:
        """The return of the whole path."""
        return math.fsum(self.rewards)

    @property
    def length(self) -> int:
        """Tokens, the prompt included."""
        return len(self.prompt_ids) + len(self.completion_ids)


class RlRows(NamedTuple):
    """The rows of one trajectory, and what did not become one."""

    rows: tuple[RlRow, ...]
    rewritten: int = 0
    """Rows that begin in the middle of an episode, because the template wrote its history anew."""
    too_long: int = 0
    failed: int = 0
    """Ways through the tree that ended with an error or could not be scored."""


def rl_rows(
    trajectory: Trajectory,
    weights: RewardWeights,
    max_length: int,
    advantages: Mapping[int, float] | None = None,
) -> RlRows:
    """The rows of a trajectory whose prompt ids are all there (`episodes.encoding.expanded`).

    `advantages` holds that of a tree's steps by `id(step)`; a step that is missing has none, and is not trained on.

    Raises:
        DataError: a sampled token has no log-probability.
    """
    found: list[RlRow] = []
    rewritten = failed = 0
    trained: set[int] = set()
    for number, path in enumerate(_paths(trajectory.history.steps, trajectory.end, trajectory.scores)):
        success = _success(path)
        if success is None:
            failed += 1
            continue
        given = _Given(trajectory, number, success, path_rewards(path.steps, success, weights), advantages)
        rows = [*_rows(path.steps, given, trained)]
        rewritten += max(0, len(rows) - 1)
        found += [row for row in rows if any(row.mask)]
        trained |= {id(step) for step in path.steps}
    kept = tuple(row for row in found if row.length <= max_length)
    return RlRows(kept, rewritten, len(found) - len(kept), failed)


class _Path(NamedTuple):
    steps: tuple[Step, ...]
    end: EndReason
    scores: tuple[Score, ...]


def _paths(
    steps: tuple[Step, ...], end: EndReason, scores: tuple[Score, ...], before: tuple[Step, ...] = ()
) -> Iterator[_Path]:
    """Every way from the root to a leaf, the executed one first."""
    yield _Path((*before, *steps), end, scores)
    for index, step in enumerate(steps):
        for branch in step.branches:
            yield from _paths(branch.steps, branch.end, branch.scores, (*before, *steps[:index]))


def _success(path: _Path) -> bool | None:
    """By the score named `answer`; `None` where the environment failed or nobody could judge."""
    if path.end is EndReason.ERROR:
        return None
    verdict = next((score.value for score in path.scores if score.name == "answer"), None)
    return None if verdict is None else verdict == 1.0


class _Given(NamedTuple):
    """What all rows of a path have."""

    trajectory: Trajectory
    path: int
    success: bool
    rewards: tuple[float, ...]
    advantages: Mapping[int, float] | None

    def advantage_of(self, steps: Sequence[Step]) -> tuple[float, ...]:
        known = self.advantages
        return () if known is None else tuple(known.get(id(step), 0.0) for step in steps)


class _Draft:
    """A row that grows."""

    def __init__(self, prompt: tuple[int, ...]) -> None:
        self.prompt = prompt
        self.ids: list[int] = []
        self.mask: list[int] = []
        self.logprobs: list[float] = []
        self.steps: list[int] = []

    def goes_on_in(self, prompt: tuple[int, ...]) -> bool:
        """Whether a prompt begins with all that is here."""
        return prompt[: len(self.prompt) + len(self.ids)] == (*self.prompt, *self.ids)

    def add(self, ids: Sequence[int], logprobs: Sequence[float] | None, trained: bool, step: int) -> None:
        self.ids += ids
        self.mask += [int(trained)] * len(ids)
        self.logprobs += logprobs if logprobs is not None and trained else [0.0] * len(ids)
        self.steps += [step] * len(ids)


def _rows(steps: Sequence[Step], given: _Given, trained: set[int]) -> Iterator[RlRow]:
    draft: _Draft | None = None
    latest = 0
    for index, step in enumerate(steps):
        sampled = sampled_by_agent(step)
        if sampled is None:
            continue
        _check(sampled, given.trajectory)
        if draft is None or not draft.goes_on_in(sampled.prompt_ids):
            if draft is not None:
                yield _row(draft, steps, given)
            draft = _Draft(sampled.prompt_ids)
        draft.add(sampled.prompt_ids[len(draft.prompt) + len(draft.ids) :], None, False, latest)
        draft.add(sampled.completion_ids, sampled.logprobs, _is_trained(step, given, trained), index)
        latest = index
    if draft is not None:
        yield _row(draft, steps, given)


def _is_trained(step: Step, given: _Given, trained: set[int]) -> bool:
    known = given.advantages
    return id(step) not in trained and (known is None or id(step) in known)


def sampled_by_agent(step: Step) -> Generation | None:
    """What the agent sampled for an action that was carried out; `None` where it was another's."""
    if step.decision.actor is not Actor.AGENT:
        return None
    mine = (item for item in reversed(step.decision.generations) if item.role == "agent" and item.completion_ids)
    return next(mine, None)


def _check(sampled: Generation, trajectory: Trajectory) -> None:
    if len(sampled.logprobs) != len(sampled.completion_ids):
        problem = f"{len(sampled.completion_ids)} sampled tokens have {len(sampled.logprobs)} log-probabilities"
        raise DataError(f"the episode of {trajectory.task.id!r}", problem, None, "let the engine record them")


def _row(draft: _Draft, steps: Sequence[Step], given: _Given) -> RlRow:
    return RlRow(
        group=given.trajectory.task.id,
        sample=given.trajectory.sample,
        path=given.path,
        prompt_ids=draft.prompt,
        completion_ids=tuple(draft.ids),
        mask=tuple(draft.mask),
        logprobs=tuple(draft.logprobs),
        step_of_token=tuple(draft.steps),
        rewards=given.rewards,
        success=given.success,
        advantages=given.advantage_of(steps),
    )
