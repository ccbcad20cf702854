"""What stands in a report before its trajectories: of a run, a comparison, a sweep, a training, a lineage."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.table import Table as RichTable
from rich.text import Text

from agentbench.episodes.rates import Rate
from agentbench.reporting.comparison import Comparison
from agentbench.reporting.comparison_tables import differences_table, runs_table
from agentbench.reporting.html.figures import Bar, Curve, curves, over_steps, shares, stacked
from agentbench.reporting.html.page import Figure, Page, Section, Table
from agentbench.reporting.interventions import LAST_STEP, Interventions
from agentbench.reporting.run_folder import Run
from agentbench.reporting.statistics import Figures, Statistics
from agentbench.reporting.tables import means_table, notes, settings_table, success_table

_GROUPS = {"domain": "domain", "scenario": "scenario", "tool_availability": "available tools", "hops": "hops"}
_CURVES = {
    "Loss": ("loss", "eval_loss"),
    "Preference accuracy": ("rewards/accuracies", "eval_rewards/accuracies"),
    "Reward margin": ("rewards/margins", "eval_rewards/margins"),
    "Success of the episodes trained on": ("reward", "eval_reward"),
}
"""Caption, and the names in `metrics.jsonl` of training and validation."""


def run_page(run: Run, found: Statistics, seen: Interventions) -> Page:
    """One run: success, means, categories over time, and what the overseer did."""
    tables = (table_of(success_table(found)), table_of(means_table(found)))
    summary = Section("Summary", " ".join(notes(found)), tables, tuple(_by_setting({"": found.run})))
    return Page(
        _title(run.record, run.folder), _origin(run.record), (summary, _over_time(found, seen)), (run.folder.name,)
    )


def comparison_page(found: Comparison) -> Page:
    """Runs on the same tasks: side by side, each against the first, by setting."""
    names = [run.name for run in found.runs]
    tables = [runs_table(found), differences_table(found)]
    if found.settings:
        tables.append(settings_table(found.settings, names))
    figures = {run.name: run.figures for run in found.runs}
    section = Section("Comparison", "", tuple(map(table_of, tables)), tuple(_by_setting(figures)))
    return Page(f"Comparison of {len(names)} runs", " · ".join(names), (section,), tuple(names))


def sweep_page(folder: Path, table: RichTable, plot: str, names: Sequence[str]) -> Page:
    """A sweep: its table and its plot (SVG, may be empty), then the episodes of the jobs that are named."""
    figures = (Figure("Every job's figure against what was swept", plot),) if plot else ()
    section = Section("Sweep", "", (table_of(table),), figures)
    return Page(folder.name.replace("_", " ").capitalize(), str(folder), (section,), tuple(names))


def lineage_page(artefact: Path, tables: Sequence[RichTable]) -> Page:
    """Where something came from and what used it."""
    section = Section("Lineage", "", tuple(map(table_of, tables)))
    return Page(f"Lineage of {artefact.name}", str(artefact), (section,), ())


def training_page(folder: Path, record: Mapping[str, Any], names: tuple[str, ...]) -> Page:
    """A training: its figures, its curves from `metrics.jsonl`, and the episodes that its result played."""
    logged = [orjson.loads(line) for line in _lines(folder / "metrics.jsonl")]
    figures = tuple(figure for caption, keys in _CURVES.items() for figure in _curve(caption, keys, logged))
    table = Table("At the end", ("figure", "value"), final_figures(folder))
    return Page(_title(record, folder), _origin(record), (Section("Training", "", (table,), figures),), names)


def final_figures(folder: Path) -> tuple[tuple[str, str], ...]:
    """What a training ended with, by name, as text; nothing where it did not end."""
    path = folder / "metrics.json"
    final = orjson.loads(path.read_bytes()) if path.is_file() else {}
    return tuple((str(name), _written(value)) for name, value in final.items())


def drawn(svg: str) -> str:
    """A file of SVG as part of a page: without the head that files have."""
    return svg[svg.index("<svg") :]


def table_of(table: RichTable) -> Table:
    """A table of the terminal as one of the page."""
    columns = tuple(_plain(column.header) for column in table.columns)
    rows = zip(*(tuple(_plain(cell) for cell in column.cells) for column in table.columns), strict=True)
    return Table(_plain(table.title or ""), columns, tuple(rows))


def bars(rates: Mapping[str, Rate]) -> list[Bar]:
    """Rates that have something to divide by."""
    return [
        Bar(f"{name} (n={rate.n})", rate.rate, rate.low, rate.high, rate.n)
        for name, rate in rates.items()
        if rate.rate is not None
    ]


def _over_time(found: Statistics, seen: Interventions) -> Section:
    figures: list[Figure] = []
    by_step = found.categories_by_step
    if by_step:
        names = dict.fromkeys(name for counts in by_step for name in counts)
        counts = {name.replace("_", " "): [counts.get(name, 0) for counts in by_step] for name in names}
        columns = [_step_name(index) for index in range(len(by_step))]
        figures.append(stacked("Step categories by the step's number", columns, counts, "steps"))
    if any(rate.count for rate in seen.by_step):
        places = {_step_name(index): rate for index, rate in enumerate(seen.by_step)}
        shown = [bar._replace(name=name) for name, bar in zip(places, bars(places), strict=True)]
        figures.append(over_steps("Share of steps that the expert took, by the step's number", shown))
    if seen.needed:
        caption = "Interventions by reason: share at which the agent would have done something else than the expert"
        figures.append(shares(caption, {"": bars(seen.needed)}))
    through = seen.let_through
    bad = (
        "" if through.rate is None else f"Of {through.n} steps of the agent's own, {100 * through.rate:.1f} % were bad."
    )
    return Section("Over the steps", bad, (), tuple(figures))


def _by_setting(runs: Mapping[str, Figures]) -> Iterable[Figure]:
    for key, title in _GROUPS.items():
        groups = {name: bars(figures.groups.get(key, {})) for name, figures in runs.items()}
        if len({bar.name for found in groups.values() for bar in found}) > 1:
            yield shares(f"Success by {title}, with 95 % intervals", groups)


def _curve(caption: str, names: Sequence[str], logged: Sequence[Mapping[str, Any]]) -> Iterable[Figure]:
    found = [
        Curve(label, [line["step"] for line in having], [line[name] for line in having])
        for label, name in zip(("training", "validation"), names, strict=True)
        if (having := [line for line in logged if name in line and "step" in line])
    ]
    if found:
        yield curves(caption, found, "optimizer step")


def _title(record: Mapping[str, Any], folder: Path) -> str:
    return f"{str(record['entry']).capitalize()} {folder.name}"


def _origin(record: Mapping[str, Any]) -> str:
    git = record.get("git") or {}
    commit = f"commit {git['commit'][:10]}{' with changes' if git['dirty'] else ''}" if git else "no commit known"
    return f"{record['command']} · {commit} · {record['started'][:19].replace('T', ' ')} UTC · seed {record['seed']}"


def _step_name(index: int) -> str:
    return f"{index + 1}{'+' if index == LAST_STEP else ''}"


def _plain(cell: Any) -> str:
    return cell.plain if isinstance(cell, Text) else Text.from_markup(str(cell)).plain


def _lines(path: Path) -> list[bytes]:
    return [line for line in path.read_bytes().splitlines() if line.strip()] if path.is_file() else []


def _written(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else orjson.dumps(value).decode()
