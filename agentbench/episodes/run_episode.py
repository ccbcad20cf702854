"""The only loop: a policy acts, an environment answers, the step is graded, until the task or the horizon ends it.

A failure of policy, environment, grader or scorer is data: it is written on the trajectory beside all steps done so
far and never leaves this module. Only cancellation does. Branches are played by the same loop (`branching.py`): they
begin in the middle of an episode, and are watched as it is.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple, TypeVar

from agentbench.config.branching import BranchesConfig, Branching
from agentbench.envs import Environment, EnvStep
from agentbench.episodes.clock import EpisodeClock, never_paused
from agentbench.episodes.encoding import Ids, shortened
from agentbench.episodes.failures import describe
from agentbench.errors import AgentbenchError
from agentbench.policies import Policy
from agentbench.scoring import Scorer
from agentbench.scoring.steps import Graded
from agentbench.types import Action, Decision, EndReason, Final, History, Observation, Step, Task, Trajectory

T = TypeVar("T")

CLOSE_TIMEOUT_S = 10.0
"""Longest time an environment may take to close, in seconds; then it is left to itself and the log says so."""

_log = logging.getLogger(__name__)


Start = Callable[[Environment, Task], Awaitable[History]]
"""Brings an environment to where an episode begins; what has happened by then."""

Watch = Callable[[Environment, History, Decision], Awaitable[None]]
"""Sees each state and what is about to be done in it, before it is done."""


class TreeParts(NamedTuple):
    """What the branches of an episode need beside its own parts."""

    kind: Branching
    limits: BranchesConfig
    agent: Callable[[int, bool], Policy]
    """The agent alone, with a seed of its own; where the second argument says so, with what the expert would do kept
    beside each decision."""
    env: Callable[[], Environment]
    """A fresh environment for the same task."""


class EpisodeParts(NamedTuple):
    """What one episode is made of; the environment and the policy serve this episode only."""

    env: Environment
    policy: Policy
    grade: Callable[[Task, History, Action, Observation], Graded]
    """The category and worth of an action carried out after the history."""
    scorers: Sequence[Scorer] = ()
    weights: str = ""
    """Which weights the agent plays with; only recorded."""
    tree: TreeParts | None = None
    """How the episode branches; off: it does not."""


class Limits(NamedTuple):
    """How far one episode may go."""

    horizon: int
    """Most steps; then the episode is truncated."""
    timeout_s: float
    """Longest wall time in seconds; then the episode ends with the error `EpisodeTimeout`."""
    paused_s: Callable[[], float] = never_paused
    """Seconds for which the run has waited for servers so far; they do not count."""


class Failure(NamedTuple):
    """Why something could not be done, as `Trajectory.error` has it."""

    error: str


async def from_reset(env: Environment, task: Task) -> History:
    """The beginning of a task."""
    opening = await env.reset(task)
    return History(env.tools, opening, earlier=task.earlier)


async def run_episode(
    task: Task,
    parts: EpisodeParts,
    limits: Limits,
    seed: int,
    *,
    sample: int = 0,
    start: Start = from_reset,
    watch: Watch | None = None,
) -> Trajectory:
    """One episode from its start to its end, scored; the environment is closed whatever happens.

    An episode that ends with an error keeps its steps and gets no scores: a dead server is not a wrong answer.
    Prompt ids that a role's previous prompt had are left out, as on disk; `encoding.expanded` puts them back.
    `seed` and `sample` are only recorded. The time limit acts where the episode awaits; code that blocks the loop
    outlasts it. Steps that have happened at the start count for the horizon. `parts.tree` is left to `run_tree`.
    """
    started = time.perf_counter()
    path = _Path(task, parts, limits.horizon, watch)
    record = Trajectory(task, path.history, EndReason.ERROR, seed=seed, sample=sample, weights=parts.weights)
    try:
        end = await attempted(path.play(start), task, limits)
        came = dataclasses.replace(record, history=path.history)
        if isinstance(end, EndReason):
            scored = await attempted(_scored(dataclasses.replace(came, end=end), parts), task)
            came = dataclasses.replace(came, error=scored.error) if isinstance(scored, Failure) else scored
        else:
            came = dataclasses.replace(came, error=end.error)
    finally:
        await _close(parts.env, task)
    return dataclasses.replace(came, seconds=time.perf_counter() - started)


async def attempted(work: Coroutine[Any, Any, T], task: Task, limits: Limits | None = None) -> T | Failure:
    """What some work of an episode gives, within the time limit where there are limits; or why it gives nothing.

    This is the one boundary that records failures.
    """
    clock = EpisodeClock(limits.timeout_s, limits.paused_s) if limits else None
    try:
        async with clock or nullcontext():
            return await work
    except (Exception, asyncio.CancelledError) as failure:
        if _asked_to_stop(failure):
            raise
        if limits and clock and clock.expired:
            return Failure(f"EpisodeTimeout: not finished after {limits.timeout_s:g} s")
        return Failure(_record(failure, task))


def failed(task: Task, failure: Exception, seed: int, sample: int = 0) -> Trajectory:
    """The record of an episode that failed before its first step or could not be kept."""
    error = _record(failure, task)
    return Trajectory(task, History((), Observation("")), EndReason.ERROR, error=error, seed=seed, sample=sample)


class _Path:
    """One way through an environment; what was done stays there when a step fails."""

    def __init__(self, task: Task, parts: EpisodeParts, horizon: int, watch: Watch | None) -> None:
        self.history = History((), Observation(""))
        self._seen: Ids = {}
        """Full prompt ids of each role's latest generation; the history's own are shortened."""
        self._task = task
        self._parts = parts
        self._horizon = horizon
        self._watch = watch

    async def play(self, start: Start) -> EndReason:
        """Steps until the end."""
        self.history = await start(self._parts.env, self._task)
        while True:
            end = await self._step()
            if end is not None:
                return end

    async def _step(self) -> EndReason | None:
        history, parts = self.history, self._parts
        decision = await parts.policy.act(history)
        if self._watch is not None:
            await self._watch(parts.env, history, decision)
        started = time.perf_counter()
        answer = await parts.env.step(decision.action)
        seconds = time.perf_counter() - started
        graded = parts.grade(self._task, history, decision.action, answer.observation)
        reward = graded.reward + answer.reward
        if not math.isfinite(reward):
            raise ValueError(f"step {len(history.steps) + 1} was given the reward {reward!r}, which is not a number")
        step = Step(shortened(decision, self._seen), answer.observation, graded.category, reward, seconds)
        steps = (*history.steps, step)
        self.history = dataclasses.replace(history, steps=steps)
        return _end(decision.action, answer, len(steps), self._horizon)


def _end(action: Action, answer: EnvStep, steps: int, horizon: int) -> EndReason | None:
    if answer.terminated:
        return EndReason.FINAL if isinstance(action, Final) else EndReason.ENV_DONE
    return EndReason.HORIZON if answer.truncated or steps >= horizon else None


async def _scored(trajectory: Trajectory, parts: EpisodeParts) -> Trajectory:
    ended = dataclasses.replace(trajectory, evidence=parts.env.evidence())
    scores = [score for scorer in parts.scorers for score in await scorer.score(ended)]
    return dataclasses.replace(ended, scores=tuple(scores))


def _asked_to_stop(failure: BaseException) -> bool:
    """Tells our own cancellation from that of some future inside a policy, which is a failure like any other."""
    current = asyncio.current_task()
    return isinstance(failure, asyncio.CancelledError) and current is not None and current.cancelling() > 0


def _record(failure: BaseException, task: Task) -> str:
    if not isinstance(failure, AgentbenchError):
        _log.error("episode %s failed", task.id, exc_info=failure)
    return describe(failure)


async def _close(env: Environment, task: Task) -> None:
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await env.close()
    except Exception as failure:  # the episode's record is complete; only its environment was not freed
        _log.error("the environment of episode %s could not be closed", task.id, exc_info=failure)
