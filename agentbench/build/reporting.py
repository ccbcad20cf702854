"""What a report shows: a run's figures, one of its episodes, a comparison, or where something came from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agentbench.app.record import read_record
from agentbench.app.writing import write_json
from agentbench.build import Report
from agentbench.build.runs import expert_settings
from agentbench.build.sweeps import SWEEP, read_sweep
from agentbench.config.report import ReportConfig, View
from agentbench.config.suggest import did_you_mean
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import Summary
from agentbench.episodes.table import notes
from agentbench.episodes.tally import Tally
from agentbench.errors import ConfigError, PreflightError
from agentbench.reporting.comparison import COMPARISON, compare
from agentbench.reporting.comparison_tables import comparison_tables
from agentbench.reporting.facts import EpisodeFacts, facts
from agentbench.reporting.html.contents import (
    comparison_page,
    final_figures,
    lineage_page,
    run_page,
    sweep_page,
    training_page,
)
from agentbench.reporting.html.page import PAGE, Page, write_page
from agentbench.reporting.interventions import Interventions, interventions
from agentbench.reporting.lineage import LINEAGE, lineage
from agentbench.reporting.lineage_table import lineage_tables
from agentbench.reporting.plots import drawing
from agentbench.reporting.run_folder import Run, read_labels, read_run
from agentbench.reporting.statistics import STATISTICS, Labels, Statistics, statistics
from agentbench.reporting.tables import run_tables
from agentbench.reporting.trajectory_view import trajectory_view
from agentbench.types import Trajectory


class Reported(NamedTuple):
    """What a report shows, and what its HTML file holds."""

    shown: RenderableType
    page: Page | None = None
    """`None` for what is only looked at in a terminal."""
    episodes: tuple[Iterable[Trajectory], ...] = ()
    """Of each run that the page names; read when the file is written."""


class Seen(NamedTuple):
    """All that a run's tables need, read from its episodes once."""

    figures: Statistics
    summary: Summary
    interventions: Interventions


def reported(config: ReportConfig, folder: Path, report: Report) -> RenderableType:
    """What was asked for, ready to be shown; its figures are also written into the folder, as JSON and as a page.

    Raises:
        ConfigError: nothing, or several things at once, were asked for, or runs are not comparable.
        PreflightError, DataError: a folder, a file or the package that draws is missing or broken.
    """
    _refuse_contradictions(config)
    if config.view is View.HTML and config.trajectory is None:
        _need_matplotlib()
    found = _reported(config, folder)
    if config.view is View.HTML and found.page is not None:
        written = folder / PAGE
        count = write_page(written, found.page, found.episodes)
        size = written.stat().st_size / 1e6
        report(f"report: {os.path.relpath(written)} ({count} trajectories, {size:.1f} MB); open it in a browser")
    return found.shown


def write_report(run: Path, seed: int) -> Path:
    """Writes the page of a run or a training into its own folder; the file.

    Raises:
        PreflightError, DataError: its folder is broken or cannot be written, or the package that draws is missing.
    """
    _need_matplotlib()
    found = _of_run(ReportConfig(run=run, seed=seed, outputs=run), run)
    if found.page is not None:
        write_page(run / PAGE, found.page, found.episodes)
    return run / PAGE


def _need_matplotlib() -> None:
    if find_spec("matplotlib") is None:
        advice = "pip install 'agentbench[report]', or view=terminal"
        raise PreflightError("a report for the browser needs the package matplotlib, which is not installed", advice)


def _reported(config: ReportConfig, folder: Path) -> Reported:
    if config.lineage is not None:
        artefacts = lineage(config.lineage, config.outputs)
        write_figures(folder / LINEAGE, artefacts)
        shown = lineage_tables(artefacts)
        tables = [part for part in shown.renderables if isinstance(part, Table)]
        return Reported(shown, lineage_page(config.lineage, tables))
    if config.compare:
        return _compared(config, folder)
    return _of_run(config, folder)


def _of_run(config: ReportConfig, folder: Path) -> Reported:
    path = config.run or Path()
    if (path / SWEEP).is_file():
        return _sweep(path, config.view)
    record = read_record(path) if path.is_dir() else None
    if record is not None and record["entry"] == "train":
        return _training(path, record)
    run = read_run(path)
    if config.trajectory is not None:
        return Reported(_one_trajectory(run, config.trajectory))
    found = seen(run, config.labels, config.seed)
    remarks = notes(found.summary).splitlines()
    page = run_page(run, found.figures, found.interventions, remarks) if config.view is View.HTML else None
    return Reported(figures_of(found, folder), page, (run.trajectories(),))


def _compared(config: ReportConfig, folder: Path) -> Reported:
    runs = [read_run(path) for path in config.compare]
    found = compare(runs, config.allow, config.seed)
    write_figures(folder / COMPARISON, found)
    page = comparison_page(found) if config.view is View.HTML else None
    return Reported(comparison_tables(found, config.flips), page, tuple(run.trajectories() for run in runs))


def _sweep(folder: Path, view: View) -> Reported:
    """A finished sweep: the table that ended it, its plot, and the episodes of its jobs."""
    found = read_sweep(folder)
    plot = drawing(found.points, found.measure) if view is View.HTML else None
    page = sweep_page(folder, found.table, plot, tuple(found.jobs))
    return Reported(found.table, page, tuple(read_trajectories(path) for path in found.jobs.values()))


def _training(folder: Path, record: Mapping[str, Any]) -> Reported:
    """A training: its figures and curves, and the episodes that its result played."""
    from agentbench.training.job import EVALUATION

    played = folder / EVALUATION / TRAJECTORIES
    names = (EVALUATION,) if played.is_file() else ()
    page = training_page(folder, record, names)
    shown = Group(*(Text(f"{name}: {value}") for name, value in final_figures(folder)))
    return Reported(shown, page, (read_trajectories(played),) if names else ())


def seen(run: Run, labels: Path | None, seed: int) -> Seen:
    """A run's figures, its sums and its interventions.

    They are worked out from its episodes: a run that was killed has them too.

    Raises:
        PreflightError, DataError: its episodes or labels are missing or broken.
    """
    known = Labels(read_labels(labels), str(labels)) if labels else None
    tally = Tally(expert_settings(run.config.expert_mode), run.config.prices)
    told: list[EpisodeFacts] = []

    def episodes() -> Iterator[Trajectory]:
        for trajectory in run.trajectories():
            tally.add(trajectory)
            told.append(facts(trajectory, run.config.prices))
            yield trajectory

    helped = interventions(episodes())
    return Seen(statistics(told, run.baselines(), known, seed), tally.summary(), helped)


def figures_of(found: Seen, folder: Path) -> Group:
    """A run's tables; its statistics are written into the folder."""
    write_figures(folder / STATISTICS, found.figures)
    return Group(run_tables(found.figures), Text(notes(found.summary)))


def compared(runs: Sequence[Run], *, allow: Sequence[str], seed: int, flips: int, folder: Path) -> RenderableType:
    """A comparison's tables with up to `flips` flipped tasks per run; all of it is written into the folder.

    Raises:
        ConfigError: the runs are not comparable.
        PreflightError, DataError: a run's episodes are missing or broken.
    """
    found = compare(runs, allow, seed)
    write_figures(folder / COMPARISON, found)
    return comparison_tables(found, flips)


def write_figures(path: Path, figures: Any) -> None:
    """Writes a record of this package as JSON.

    Raises:
        OSError: it cannot be written.
    """
    write_json(path, figures)


def _refuse_contradictions(config: ReportConfig) -> None:
    problems = list(_problems(config))
    if problems:
        raise ConfigError(problems)


def _problems(config: ReportConfig) -> Iterator[str]:
    asked = [name for name in ("run", "compare", "lineage") if vars(config)[name]]
    if not asked:
        yield "run: required, e.g. run=outputs/eval/<time>; or compare=[a,b], or lineage=<adapter>"
    if len(asked) > 1:
        yield f"{asked[1]}: there is {asked[0]} already; one report shows one of them"
    if len(config.compare) == 1:
        yield "compare: needs two runs or more, compare=[a,b]"
    if config.trajectory is not None and config.run is None:
        yield "trajectory: needs the run it is of, run=outputs/eval/<time>"
    if config.labels is not None and config.run is None:
        yield "labels: belong to run"


def _one_trajectory(run: Run, wanted: str) -> RenderableType:
    task, _, sample = wanted.rpartition("#") if _has_sample(wanted) else (wanted, "", "0")
    known: dict[str, None] = {}
    for trajectory in run.trajectories():
        if (trajectory.task.id, trajectory.sample) == (task, int(sample)):
            return trajectory_view(trajectory)
        known[trajectory.task.id] = None
    hint = did_you_mean(wanted, known) or f", as {next(iter(known), 'none')!r}"
    raise ConfigError([f"trajectory: {wanted!r} is none of the {len(known)} tasks in {run.folder}{hint}"])


def _has_sample(wanted: str) -> bool:
    return wanted.rpartition("#")[2].isdigit() and "#" in wanted
