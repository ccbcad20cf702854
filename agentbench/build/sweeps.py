"""What ends a sweep: one table, and one plot of its main figure against what was swept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
from rich.table import Table

from agentbench import app
from agentbench.build import Report
from agentbench.episodes import sweep_table as episodes
from agentbench.episodes.rates import Rate
from agentbench.episodes.store import TRAJECTORIES
from agentbench.episodes.sweep_table import SWEEP
from agentbench.errors import DataError
from agentbench.reporting.plots import Measure, Point, plot_sweep, varied_keys

if TYPE_CHECKING:
    from agentbench.training import sweep_table as trainings

_TRAINED = (
    Measure("accuracy", share=True),
    Measure("validation loss"),
    Measure("loss"),
)
"""What a training is judged by where it played no tasks, the best first; labels are headings of the table."""


class Sweep(NamedTuple):
    """A finished sweep as its folder tells it."""

    table: Table
    """The one that ended it."""
    points: list[Point]
    measure: Measure
    jobs: dict[str, Path]
    """By the settings of the job: the files of those that played episodes."""


def sum_up_episodes(jobs: Sequence[app.Job], report: Report) -> None:
    """Table and plot of a sweep of runs of episodes, shown and written beside the jobs."""
    outcomes = episodes.sum_up(jobs)
    app.show(episodes.sweep_table(outcomes))
    _plot(*_played_points(outcomes), jobs[0].folder.parent, report)


def sum_up_trainings(jobs: Sequence[app.Job], report: Report) -> None:
    """Table and plot of a sweep of trainings, shown and written beside the jobs."""
    from agentbench.training import sweep_table as trainings

    outcomes = trainings.sum_up(jobs)
    app.show(trainings.sweep_table(outcomes))
    _plot(*_trained_points(outcomes), jobs[0].folder.parent, report)


def read_sweep(folder: Path) -> Sweep:
    """What a folder tells of a sweep that ended.

    Raises:
        DataError: `sweep.json` cannot be read.
    """
    from agentbench.training import sweep_table as trainings
    from agentbench.training.job import EVALUATION

    try:
        found = orjson.loads((folder / SWEEP).read_bytes())
        trained = any("figures" in one for one in found)
        made: Any = trainings.Outcome if trained else episodes.Outcome
        outcomes = [
            made(**one | {key: Rate(**one[key]) for key in ("success", "attack") if one.get(key)}) for one in found
        ]
    except (orjson.JSONDecodeError, TypeError, KeyError) as error:
        problem, advice = "is no summary of a sweep of this version", "name a job's folder, or run the sweep again"
        raise DataError(folder / SWEEP, problem, next_step=advice) from error
    table = trainings.sweep_table(outcomes) if trained else episodes.sweep_table(outcomes)
    points = _trained_points(outcomes) if trained else _played_points(outcomes)
    varied = varied_keys([outcome.settings for outcome in outcomes])
    jobs: dict[str, Path] = {}
    for outcome in outcomes:
        played = folder / outcome.folder / (EVALUATION if trained else "") / TRAJECTORIES
        if played.is_file():
            name = " ".join(f"{key}={outcome.settings.get(key, '')}" for key in varied)
            jobs[name or outcome.folder] = played
    return Sweep(table, *points, jobs)


def _played_points(outcomes: Sequence[episodes.Outcome | trainings.Outcome]) -> tuple[list[Point], Measure]:
    points = [_played(outcome.settings, outcome.success) for outcome in outcomes]
    return points, _success([outcome.success for outcome in outcomes])


def _trained_points(outcomes: Sequence[trainings.Outcome]) -> tuple[list[Point], Measure]:
    if any(outcome.success for outcome in outcomes):
        return _played_points(outcomes)
    measure = _judged_by(outcomes)
    return [Point(outcome.settings, outcome.figures.get(measure.label)) for outcome in outcomes], measure


def _played(settings: dict[str, str], success: Rate | None) -> Point:
    return Point(settings, success.rate, success.low, success.high) if success else Point(settings, None)


def _success(rates: Sequence[Rate | None]) -> Measure:
    sizes = sorted({rate.n for rate in rates if rate})
    n = f", n = {sizes[0]}" if len(sizes) == 1 else ""
    return Measure(f"success (95 % interval{n})", share=True)


def _judged_by(outcomes: Sequence[trainings.Outcome]) -> Measure:
    known = {heading for outcome in outcomes for heading in outcome.figures}
    return next((measure for measure in _TRAINED if measure.label in known), _TRAINED[-1])


def _plot(points: Sequence[Point], measure: Measure, folder: Path, report: Report) -> None:
    if find_spec("matplotlib") is None:
        report("no plot: matplotlib is not installed; pip install 'agentbench[report]'")
        return
    for file in plot_sweep(points, measure, folder):
        report(f"plot: {os.path.relpath(file)}")
