"""The table at the end of a sweep: one row per job, its settings and its success with an interval."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from agentbench.app import Job
from agentbench.app.writing import write_json
from agentbench.episodes.attacks import ALL
from agentbench.episodes.rates import Rate
from agentbench.episodes.summary import SUMMARY, read_summary
from agentbench.episodes.table import percent
from agentbench.types import record

SWEEP = "sweep.json"


@record
class Outcome:
    """What came of one job."""

    settings: dict[str, str]
    """Overrides by key."""
    folder: str
    """Name of the job's folder within the sweep's."""
    success: Rate | None
    """`None` where the job wrote no summary."""
    expert_share: float | None
    steps: int
    problem: str
    """What stopped it; empty where nothing did."""
    attack: Rate | None = None
    """Attacks that succeeded; `None` where nothing was attacked."""


def sum_up(jobs: Sequence[Job]) -> tuple[Outcome, ...]:
    """Outcomes of all jobs, also written as `sweep.json` beside their folders.

    Raises:
        OSError: that file cannot be written.
    """
    outcomes = tuple(_outcome(job) for job in jobs)
    write_outcomes(jobs, outcomes)
    return outcomes


def sweep_table(outcomes: Sequence[Outcome]) -> Table:
    """One row per job; settings that all jobs share stand in the title."""
    table, varied = settings_table([outcome.settings for outcome in outcomes])
    for heading in ("n", "solved", "rate", "95 % interval", "expert", "steps"):
        table.add_column(heading, justify="right")
    attacked = any(outcome.attack for outcome in outcomes)
    if attacked:
        table.add_column("attacks succeeded", justify="right")
    table.add_column("")
    for outcome in outcomes:
        settings = (Text(outcome.settings.get(key, "")) for key in varied)
        attack = (_attack(outcome.attack),) if attacked else ()
        table.add_row(*settings, *_cells(outcome), *attack, Text(outcome.problem))
    return table


def settings_of(job: Job) -> dict[str, str]:
    """A job's overrides by key."""
    return dict(text.lstrip("+").split("=", 1) for text in job.overrides if "=" in text)


def settings_table(settings: Sequence[dict[str, str]]) -> tuple[Table, list[str]]:
    """A table with a column for each setting in which jobs differ, and their keys; the others stand in its title."""
    keys = list(dict.fromkeys(key for job in settings for key in job))
    varied = [key for key in keys if len({job.get(key) for job in settings}) > 1]
    shared = " ".join(f"{key}={settings[0][key]}" for key in keys if key not in varied)
    table = Table(title=Text(shared) if shared else None, title_justify="left")
    for key in varied:
        table.add_column(Text(key))
    return table, varied


def write_outcomes(jobs: Sequence[Job], outcomes: Sequence[object]) -> None:
    """Writes records, one per job, as `sweep.json` beside the jobs' folders.

    Raises:
        OSError: it cannot be written.
    """
    for folder in {job.folder.parent for job in jobs}:
        write_json(folder / SWEEP, outcomes)


def _outcome(job: Job) -> Outcome:
    settings = settings_of(job)
    if not (job.folder / SUMMARY).is_file():
        return Outcome(settings, job.folder.name, None, None, 0, job.problem)
    found = read_summary(job.folder)
    share = found.expert_assistance.tracker.expert_share
    attack = found.attacks[ALL].succeeded if found.attacks else None
    return Outcome(settings, job.folder.name, found.success, share, found.total_time_steps, job.problem, attack)


def _attack(rate: Rate | None) -> str:
    return "–" if rate is None else f"{percent(rate.rate)} ({100 * rate.low:.1f} – {100 * rate.high:.1f}) of {rate.n}"


def _cells(outcome: Outcome) -> tuple[str, ...]:
    rate = outcome.success
    if rate is None:
        return ("–",) * 6
    interval = f"{100 * rate.low:.1f} – {100 * rate.high:.1f} %"
    return (
        str(rate.n),
        str(rate.count),
        percent(rate.rate),
        interval,
        percent(outcome.expert_share),
        str(outcome.steps),
    )
