"""`summary.json`: what came out of a run, and the metadata of one episode under the names users know."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from agentbench.episodes.rates import Rate
from agentbench.errors import PreflightError
from agentbench.types import Actor, Trajectory, Usage, record

SUMMARY = "summary.json"


@record
class ExpertSettings:
    """Which expert mode a run used; a limit that its mode does not have is `None`."""

    mode: str = "none"
    init_limit: int | None = None
    recent_limit: int | None = None
    random_epsilon: float | None = None


@record
class Tracker:
    """Who took the steps, and why the expert took its own."""

    expert_steps: int
    agent_steps: int
    expert_share: float | None
    """Expert steps among all steps, in [0, 1]; `None` where there were no steps."""
    interventions: dict[str, int]
    """Expert steps by the reason the expert stepped in."""


@record
class ExpertAssistance:
    """The expert's settings and what it did."""

    mode: str
    init_limit: int | None
    recent_limit: int | None
    random_epsilon: float | None
    tracker: Tracker


@record
class Summary:
    """One run in numbers."""

    n: int
    """Episodes, those that ended with an error included."""
    success: Rate
    """Of all episodes: one that ended with an error, or could not be scored, counts as not solved."""
    success_of_judged: Rate
    """Of the episodes that ended without an error and whose answer was scored."""
    terminated: int
    truncated: int
    errors: dict[str, int]
    """Episodes that ended with an error, by its type."""
    total_time_steps: int
    expert_assistance: ExpertAssistance
    step_categories: dict[str, int]
    step_preferences: int
    """Steps whose executed action does something else than an alternative would have done."""
    tokens: dict[str, Usage]
    """By role, branches included, as the model server counted them."""
    by_domain: dict[str, Rate]
    """Success of all episodes, as in `success`."""
    by_scenario: dict[str, Rate]
    by_tool_availability: dict[str, Rate]
    episodes: tuple[dict[str, Any], ...]
    """Every episode's metadata (see `episode_metadata`), by sample_id."""


def tracker(expert_steps: int, agent_steps: int, interventions: dict[str, int]) -> Tracker:
    """A tracker with its share worked out."""
    steps = expert_steps + agent_steps
    return Tracker(expert_steps, agent_steps, expert_steps / steps if steps else None, interventions)


def assistance(expert: ExpertSettings, tracked: Tracker) -> ExpertAssistance:
    """Settings and tracker as one record."""
    return ExpertAssistance(expert.mode, expert.init_limit, expert.recent_limit, expert.random_epsilon, tracked)


def interventions(trajectory: Trajectory) -> dict[str, int]:
    """The expert's steps in one episode, counted by reason."""
    reasons: dict[str, int] = {}
    for step in trajectory.history.steps:
        if step.decision.actor is Actor.EXPERT:
            reason = step.decision.reason or "expert_alone"
            reasons[reason] = reasons.get(reason, 0) + 1
    return reasons


def episode_metadata(trajectory: Trajectory, expert: ExpertSettings) -> dict[str, Any]:
    """sample_id, truncated, terminated, success, total_time_steps and expert_assistance, ready for JSON."""
    steps = len(trajectory.history.steps)
    tracked = tracker(trajectory.expert_steps, steps - trajectory.expert_steps, interventions(trajectory))
    return {
        "sample_id": trajectory.task.id,
        "truncated": trajectory.truncated,
        "terminated": trajectory.terminated,
        "success": trajectory.success,
        "total_time_steps": steps,
        "expert_assistance": orjson.loads(orjson.dumps(assistance(expert, tracked))),
    }


def write_summary(folder: Path, summary: Summary) -> None:
    """Writes `summary.json`; a reader sees the old one or the new one, never half of one.

    Raises:
        PreflightError: the folder cannot be written.
    """
    path, draft = folder / SUMMARY, folder / f"{SUMMARY}.part"
    try:
        draft.write_bytes(orjson.dumps(summary, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
        os.replace(draft, path)
    except OSError as failure:
        raise PreflightError(f"{path} cannot be written: {failure.strerror}") from failure
