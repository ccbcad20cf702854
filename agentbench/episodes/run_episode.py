"""The only loop: a policy acts, an environment answers, the step is graded, until the task or the horizon ends it.

A failure of policy, environment, grader or scorer is data: it is written on the trajectory beside all steps done so
far and never leaves this module. Only cancellation does.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agentbench.envs import Environment, EnvStep
from agentbench.episodes.clock import EpisodeClock, never_paused
from agentbench.episodes.encoding import Ids, shortened
from agentbench.episodes.failures import describe
from agentbench.errors import AgentbenchError
from agentbench.policies import Policy
from agentbench.scoring import Scorer
from agentbench.scoring.steps import Graded
from agentbench.types import Action, EndReason, Final, History, Observation, Step, Task, Trajectory

CLOSE_TIMEOUT_S = 10.0
"""Longest time an environment may take to close, in seconds; then it is left to itself and the log says so."""

_log = logging.getLogger(__name__)


class EpisodeParts(NamedTuple):
    """What one episode is made of; the environment and the policy serve this episode only."""

    env: Environment
    policy: Policy
    grade: Callable[[Task, History, Action, Observation], Graded]
    """The category and worth of an action carried out after the history."""
    scorers: Sequence[Scorer] = ()
    weights: str = ""
    """Which weights the agent plays with; only recorded."""


class Limits(NamedTuple):
    """How far one episode may go."""

    horizon: int
    """Most steps; then the episode is truncated."""
    timeout_s: float
    """Longest wall time in seconds; then the episode ends with the error `EpisodeTimeout`."""
    paused_s: Callable[[], float] = never_paused
    """Seconds for which the run has waited for servers so far; they do not count."""


class _Advance(NamedTuple):
    history: History
    end: EndReason | None
    seen: Ids
    """Full prompt ids of each role's latest generation; the history's own are shortened."""


async def run_episode(task: Task, parts: EpisodeParts, limits: Limits, seed: int, *, sample: int = 0) -> Trajectory:
    """One episode from reset to end, scored; the environment is closed whatever happens.

    An episode that ends with an error keeps its steps and gets no scores: a dead server is not a wrong answer.
    Prompt ids that a role's previous prompt had are left out, as on disk; `encoding.expanded` puts them back.
    `seed` and `sample` are only recorded. The time limit acts where the episode awaits; code that blocks the loop
    outlasts it.
    """
    started = time.perf_counter()
    trajectory = Trajectory(task, History((), Observation("")), EndReason.ERROR, seed=seed, sample=sample)
    clock = EpisodeClock(limits.timeout_s, limits.paused_s)
    now = _Advance(trajectory.history, None, {})
    try:
        async with clock:
            opening = await parts.env.reset(task)
            now = _Advance(History(parts.env.tools, opening, earlier=task.earlier), None, {})
            while now.end is None:
                now = await _step(task, parts, now, limits.horizon)
        trajectory = await _scored(dataclasses.replace(trajectory, history=now.history, end=now.end), parts)
    except (Exception, asyncio.CancelledError) as failure:  # the one boundary that records failures
        if _asked_to_stop(failure):
            raise
        error = (
            f"EpisodeTimeout: not finished after {limits.timeout_s:g} s" if clock.expired else _record(failure, task)
        )
        trajectory = dataclasses.replace(trajectory, history=now.history, end=EndReason.ERROR, error=error)
    finally:
        await _close(parts.env, task)
    return dataclasses.replace(trajectory, weights=parts.weights, seconds=time.perf_counter() - started)


def failed(task: Task, failure: Exception, seed: int, sample: int = 0) -> Trajectory:
    """The record of an episode that failed before its first step or could not be kept."""
    error = _record(failure, task)
    return Trajectory(task, History((), Observation("")), EndReason.ERROR, error=error, seed=seed, sample=sample)


async def _step(task: Task, parts: EpisodeParts, now: _Advance, horizon: int) -> _Advance:
    history = now.history
    decision = await parts.policy.act(history)
    started = time.perf_counter()
    answer = await parts.env.step(decision.action)
    seconds = time.perf_counter() - started
    graded = parts.grade(task, history, decision.action, answer.observation)
    reward = graded.reward + answer.reward
    if not math.isfinite(reward):
        raise ValueError(f"step {len(history.steps) + 1} was given the reward {reward!r}, which is not a number")
    step = Step(shortened(decision, now.seen), answer.observation, graded.category, reward, seconds)
    steps = (*history.steps, step)
    end = _end(decision.action, answer, len(steps), horizon)
    return _Advance(dataclasses.replace(history, steps=steps), end, now.seen)


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
