"""The table at the end of a sweep of trainings: one row per job, its settings, its success and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.markup import escape
from rich.table import Table

from agentbench.app import Job
from agentbench.episodes.rates import Rate
from agentbench.episodes.summary import SUMMARY
from agentbench.episodes.table import percent
from agentbench.training.job import EVALUATION, TRAINED
from agentbench.types import record

SWEEP = "sweep.json"

_FIGURES = {
    "steps": ("steps", "{:,}"),
    "trained": ("trained_parameters", "{:,}"),
    "loss": ("loss", "{:.4f}"),
    "validation loss": ("validation.loss", "{:.4f}"),
    "accuracy": ("validation.accuracy", "{:.1%}"),
    "margin": ("validation.margin", "{:.3f}"),
}
"""Heading, key in `metrics.json`, format."""


@record
class Outcome:
    """What came of one job."""

    settings: dict[str, str]
    """Overrides by key."""
    folder: str
    """Name of the job's folder within the sweep's."""
    success: Rate | None
    """Of the held-out tasks that the trained model played; `None` where it played none (`evaluate.tasks`)."""
    figures: dict[str, float]
    """By heading; empty where the job was not finished."""
    problem: str
    """What stopped it; empty where nothing did."""


def sum_up(jobs: Sequence[Job]) -> tuple[Outcome, ...]:
    """Outcomes of all jobs, also written as `sweep.json` beside their folders.

    Raises:
        OSError: that file cannot be written.
    """
    outcomes = tuple(_outcome(job) for job in jobs)
    for folder in {job.folder.parent for job in jobs}:
        (folder / SWEEP).write_bytes(orjson.dumps(outcomes, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    return outcomes


def sweep_table(outcomes: Sequence[Outcome]) -> Table:
    """One row per job; settings that all jobs share stand in the title, figures that none has are left away."""
    keys = list(dict.fromkeys(key for outcome in outcomes for key in outcome.settings))
    varied = [key for key in keys if len({outcome.settings.get(key) for outcome in outcomes}) > 1]
    shared = [f"{key}={outcomes[0].settings.get(key)}" for key in keys if key not in varied]
    headings = [heading for heading in _FIGURES if any(heading in outcome.figures for outcome in outcomes)]
    table = Table(title=escape(" ".join(shared)) or None, title_justify="left")
    for key in varied:
        table.add_column(key)
    played = any(outcome.success for outcome in outcomes)
    for heading in [*(("success", "95 % interval", "n") if played else ()), *headings]:
        table.add_column(heading, justify="right")
    table.add_column("")
    for outcome in outcomes:
        settings = (escape(outcome.settings.get(key, "")) for key in varied)
        figures = (_cell(outcome, heading) for heading in headings)
        table.add_row(*settings, *(_success(outcome.success) if played else ()), *figures, escape(outcome.problem))
    return table


def _outcome(job: Job) -> Outcome:
    settings = dict(text.lstrip("+").split("=", 1) for text in job.overrides if "=" in text)
    found, episodes = _read(job.folder / TRAINED), _read(job.folder / EVALUATION / SUMMARY)
    success = Rate(**episodes["success"]) if episodes else None
    flat = {**found, **{f"validation.{key}": value for key, value in found.get("validation", {}).items()}}
    figures = {heading: flat[key] for heading, (key, _) in _FIGURES.items() if key in flat}
    return Outcome(settings, job.folder.name, success, figures, job.problem)


def _success(rate: Rate | None) -> tuple[str, str, str]:
    if rate is None:
        return "–", "–", "–"
    return percent(rate.rate), f"{100 * rate.low:.1f} – {100 * rate.high:.1f} %", str(rate.n)


def _read(path: Path) -> dict[str, Any]:
    return orjson.loads(path.read_bytes()) if path.is_file() else {}


def _cell(outcome: Outcome, heading: str) -> str:
    value = outcome.figures.get(heading)
    return "–" if value is None else _FIGURES[heading][1].format(value)
