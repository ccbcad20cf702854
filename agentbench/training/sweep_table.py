"""The table at the end of a sweep of trainings: one row per job, its settings, its success and what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from agentbench.app import Job
from agentbench.app.chain import ROUNDS
from agentbench.episodes.rates import Rate
from agentbench.episodes.summary import SUMMARY
from agentbench.episodes.sweep_table import settings_of, settings_table, write_outcomes
from agentbench.episodes.table import percent
from agentbench.training.job import EVALUATION, TRAINED
from agentbench.types import record

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
    write_outcomes(jobs, outcomes)
    return outcomes


def sweep_table(outcomes: Sequence[Outcome]) -> Table:
    """One row per job; settings that all jobs share stand in the title, figures that none has are left away."""
    table, varied = settings_table([outcome.settings for outcome in outcomes])
    headings = [heading for heading in _FIGURES if any(heading in outcome.figures for outcome in outcomes)]
    played = any(outcome.success for outcome in outcomes)
    for heading in [*(("success", "95 % interval", "n") if played else ()), *headings]:
        table.add_column(heading, justify="right")
    table.add_column("")
    for outcome in outcomes:
        settings = (Text(outcome.settings.get(key, "")) for key in varied)
        figures = (_cell(outcome, heading) for heading in headings)
        table.add_row(*settings, *(_success(outcome.success) if played else ()), *figures, Text(outcome.problem))
    return table


def _outcome(job: Job) -> Outcome:
    found = _read(job.folder / TRAINED)
    flat = {**found, **{f"validation.{key}": value for key, value in found.get("validation", {}).items()}}
    figures = {heading: flat[key] for heading, (key, _) in _FIGURES.items() if key in flat}
    return Outcome(settings_of(job), job.folder.name, _held_out(job.folder), figures, job.problem)


def _held_out(folder: Path) -> Rate | None:
    """Of the model that a training ended with, or of the one that its last round did."""
    episodes = _read(folder / EVALUATION / SUMMARY) or next(iter(reversed(_read(folder / ROUNDS) or [{}])))
    return Rate(**episodes["success"]) if episodes.get("success") else None


def _success(rate: Rate | None) -> tuple[str, str, str]:
    if rate is None:
        return "–", "–", "–"
    return percent(rate.rate), f"{100 * rate.low:.1f} – {100 * rate.high:.1f} %", str(rate.n)


def _read(path: Path) -> Any:
    """What a JSON file holds; an empty object where there is none."""
    return orjson.loads(path.read_bytes()) if path.is_file() else {}


def _cell(outcome: Outcome, heading: str) -> str:
    value = outcome.figures.get(heading)
    return "–" if value is None else _FIGURES[heading][1].format(value)
