"""What stands in a report before its trajectories: of a run, a comparison, a sweep, a training, a lineage."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
from rich.table import Table as RichTable
from rich.text import Text

from agentbench.episodes.rates import Rate
from agentbench.episodes.table import percent
from agentbench.reporting.comparison import Comparison
from agentbench.reporting.comparison_tables import differences_table, runs_table
from agentbench.reporting.html.figures import (
    Bar,
    Curve,
    Part,
    Place,
    against_cost,
    as_figure,
    curves,
    differences,
    over_steps,
    shares,
    stacked,
)
from agentbench.reporting.html.page import Figure, Link, Page, Pair, Section, Table, Tile
from agentbench.reporting.interventions import LAST_STEP, Interventions
from agentbench.reporting.run_folder import Run
from agentbench.reporting.statistics import Figures, Statistics
from agentbench.reporting.tables import (
    categories_table,
    interval,
    interval_of,
    means_table,
    notes,
    number,
    settings_table,
    several_tables,
    success_table,
)
from agentbench.types import StepCategory

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

_GROUPS = {
    "domain": "domain",
    "scenario": "scenario",
    "tool_availability": "available tools",
    "hops": "hops",
    "turn": "turn, by the rules",
}
_HELP = {"expert steps": "expert steps per episode", "help tokens": "tokens of expert and overseer per episode"}
"""Measures of what help cost, with their axis."""
_CURVES = {
    "Loss": ("loss", "eval_loss"),
    "Preference accuracy": ("rewards/accuracies", "eval_rewards/accuracies"),
    "Reward margin": ("rewards/margins", "eval_rewards/margins"),
    "Success of the episodes trained on": ("reward", "eval_reward"),
}
"""Caption, and the names in `metrics.jsonl` of training and validation."""
_COLOURS = {
    StepCategory.CORRECT_FINAL: "#3f9c5f",
    StepCategory.CORRECT_REFUSAL: "#2f9e9e",
    StepCategory.GOLD_CALL: "#3d84c6",
    StepCategory.OTHER_CALL: "#8fa9c4",
    StepCategory.UNJUDGED_FINAL: "#a9b7a0",
    StepCategory.WRONG_FINAL: "#c25450",
    StepCategory.WRONG_REFUSAL: "#b5567d",
    StepCategory.BAD_CALL: "#d9822b",
    StepCategory.REPEATED_CALL: "#b59b1d",
    StepCategory.RULE_BROKEN: "#8c6cc9",
    StepCategory.TOOL_ERROR: "#9a6a4f",
    StepCategory.MALFORMED: "#7d838c",
    StepCategory.OBEYED_INJECTION: "#b0308f",
}
"""The same in every report: cool colours for what brings a task on, warm ones for what does not."""


def run_page(run: Run, found: Statistics, seen: Interventions, remarks: Sequence[str] = ()) -> Page:
    """One run: success, means, categories over time, and what the overseer did; `remarks` stand below."""
    tables = tuple(map(table_of, (success_table(found), *several_tables(found), means_table(found))))
    text = "\n".join([*notes(found), *remarks])
    summary = Section("Summary", text, tables, tuple(_by_setting({"": found.run})), run_tiles(found, seen))
    sections = (summary, *_over_time(found), *_overseer(seen))
    return Page(_title(run.record, run.folder), _origin(run.record), sections, (run.folder.name,), _command(run.record))


def comparison_page(found: Comparison) -> Page:
    """Runs on the same tasks: side by side, each against the first, by setting; then the tasks that flipped."""
    names = [run.name for run in found.runs]
    tables = [runs_table(found), differences_table(found)]
    if found.settings:
        tables.append(settings_table(found.settings, names))
    figures = {run.name: run.figures for run in found.runs}
    bars = [
        Bar(one.name, one.difference.value, one.difference.low, one.difference.high, one.difference.tasks)
        for one in found.against_first
    ]
    first = differences(f"Success less that of {names[0]}, with 95 % intervals", bars)
    plots = (first, *_against_help(figures), *_by_setting(figures))
    allowed = f"Compared although these differ, as asked: {', '.join(found.allowed)}" if found.allowed else ""
    flipped, pairs = flips(found)
    sections = (Section("Comparison", allowed, tuple(map(table_of, tables)), plots), *flipped)
    return Page(f"Comparison of {len(names)} runs", " · ".join(names), sections, tuple(names), pairs=pairs)


def sweep_page(folder: Path, table: RichTable, plot: Drawing | None, names: Sequence[str]) -> Page:
    """A sweep: its table and its plot, if it has one, then the episodes of the jobs that are named."""
    figures = (as_figure("Every job's figure against what was swept", plot),) if plot else ()
    section = Section("Sweep", "", (table_of(table),), figures)
    return Page(folder.name.replace("_", " ").capitalize(), str(folder), (section,), tuple(names))


def lineage_page(artefact: Path, tables: Sequence[RichTable]) -> Page:
    """Where something came from and what used it."""
    section = Section("Lineage", "", tuple(map(table_of, tables)))
    return Page(f"Lineage of {artefact.name}", str(artefact), (section,), ())


def training_page(folder: Path, record: Mapping[str, Any], names: tuple[str, ...]) -> Page:
    """A training: its figures, its curves from `metrics.jsonl`, and the episodes that its result played."""
    logged = [orjson.loads(line) for line in _whole_lines(folder / "metrics.jsonl")]
    figures = tuple(figure for caption, keys in _CURVES.items() for figure in _curve(caption, keys, logged))
    table = Table("At the end", ("figure", "value"), (*final_figures(folder), *_costs(record)), (1,))
    section = Section("Training", "", (table,), figures)
    return Page(_title(record, folder), _origin(record), (section,), names, _command(record))


def final_figures(folder: Path) -> tuple[tuple[str, str], ...]:
    """What a training ended with, by name, as text; nothing where it did not end."""
    path = folder / "metrics.json"
    final = orjson.loads(path.read_bytes()) if path.is_file() else {}
    return tuple((str(name), _written(value)) for name, value in final.items())


def table_of(table: RichTable) -> Table:
    """A table of the terminal as one of the page; columns that hold nothing are left out."""
    found = [(column, [_plain(column.header), *map(_plain, column.cells)]) for column in table.columns]
    kept = [(column, texts) for column, texts in found if any(texts)]
    heads, *rows = zip(*(texts for _, texts in kept), strict=True)
    right = tuple(place for place, (column, _) in enumerate(kept) if column.justify == "right")
    return Table(_plain(table.title or ""), heads, tuple(rows), right)


def bars(rates: Mapping[str, Rate]) -> list[Bar]:
    """Rates that have something to divide by."""
    return [
        Bar(f"{name} (n={rate.n})", rate.rate, rate.low, rate.high, rate.n)
        for name, rate in rates.items()
        if rate.rate is not None
    ]


def run_tiles(found: Statistics, seen: Interventions) -> tuple[Tile, ...]:
    """The figures that are to be seen first: success beside its baselines, failures, cost, and the expert's share."""
    run = found.run
    of = f"{run.episodes} episodes of {run.tasks} tasks" if run.episodes > run.tasks else f"{run.tasks} tasks"
    tiles = [Tile("success", percent(run.success.rate), f"{interval_of(run.success)}, {of}")]
    tiles += [Tile(f"success, {name}", percent(each.success.rate)) for name, each in found.baselines.items()]
    if run.failures:
        clean = percent(run.success_without_failures.rate)
        tiles.append(Tile("failures", str(sum(run.failures.values())), f"{clean} solved without them"))
    for name in ("steps", "completion tokens", "model seconds", "dollars"):
        if name in run.measures:
            tiles.append(Tile(f"{name} per episode", number(run.measures[name].value), interval(run.measures[name])))
    helped, steps = sum(rate.count for rate in seen.by_step), sum(rate.n for rate in seen.by_step)
    if helped:
        tiles.append(Tile("steps by the expert", percent(helped / steps), f"{helped} of {steps}"))
    return tuple(tiles)


def flips(found: Comparison) -> tuple[tuple[Section, ...], tuple[Pair, ...]]:
    """For each run against the first the tasks that flipped, with what either did where they parted; and the pairs of
    episodes behind the rows' links, in their order."""
    sections, pairs = [], list[Pair]()
    for place, other in enumerate(found.against_first, 1):
        first = found.runs[0].name
        rows = []
        for flip in other.flips:
            step = flip.apart.step if flip.apart else 0
            did = (flip.apart.first, flip.apart.second) if flip.apart else ("every step was the same",) * 2
            link = Link(flip.task, f"#pair={len(pairs)}")
            rows.append((link, flip.question, percent(flip.first), percent(flip.second), str(step or "–"), *did))
            pairs.append(Pair(flip.task, (0, flip.samples[0]), (place, flip.samples[1]), step))
        if rows:
            columns = ("task", "question", first, other.name, "step", f"there {first}", f"there {other.name}")
            text = f"{len(rows)} tasks. A task's name opens both episodes side by side."
            table = Table("where they first differ", columns, tuple(rows), (2, 3, 4))
            sections.append(Section(f"Flipped between {first} and {other.name}", text, (table,)))
    return tuple(sections), tuple(pairs)


def _over_time(found: Statistics) -> Iterator[Section]:
    by_step = found.categories_by_step
    if by_step:
        seen = [each for each in _COLOURS if any(each.value in counts for counts in by_step)]
        parts = [
            Part(each.value.replace("_", " "), [counts.get(each.value, 0) for counts in by_step], _COLOURS[each])
            for each in seen
        ]
        figure = stacked("Step categories by the step's number", list(map(_step_name, range(len(by_step)))), parts)
        yield Section("Over the steps", "", (table_of(categories_table(by_step)),), (figure,))


def _overseer(seen: Interventions) -> Iterator[Section]:
    """When the expert stepped in, whether that was needed, and what was let through: the overseer's calibration."""
    if not any(rate.count for rate in seen.by_step):
        return
    named = {_step_name(index): rate for index, rate in enumerate(seen.by_step)}
    places = [bar._replace(name=name) for name, bar in zip(named, bars(named), strict=True)]
    figures = [over_steps("Share of steps that the expert took, by the step's number", places)]
    if seen.needed:
        caption = "Interventions by reason: share at which the agent would have done something else than the expert"
        figures.append(shares(caption, {"": bars(seen.needed)}))
    rate = seen.let_through
    slipped = f"{percent(rate.rate)} ({interval_of(rate)}) of {rate.n} steps that it left to the agent were graded bad."
    needed = "" if seen.needed else "\nWhether its interventions were needed is known with save_alternate_trace=true."
    yield Section("The overseer", f"{slipped}{needed}", (), tuple(figures))


def _by_setting(runs: Mapping[str, Figures]) -> Iterable[Figure]:
    for key, title in _GROUPS.items():
        groups = {name: bars(figures.groups.get(key, {})) for name, figures in runs.items()}
        if len({bar.name for found in groups.values() for bar in found}) > 1:
            yield shares(f"Success by {title}, with 95 % intervals", groups)


def _against_help(runs: Mapping[str, Figures]) -> Iterator[Figure]:
    """What help brought and cost, where runs had different amounts of it."""
    for measure, label in _HELP.items():
        known = {name: found.measures[measure].value for name, found in runs.items() if measure in found.measures}
        costs = {name: value for name, value in known.items() if value is not None}
        if len(set(costs.values())) > 1:
            yield against_cost(f"Success against {label}, with 95 % intervals", _places(runs, costs), label)


def _places(runs: Mapping[str, Figures], costs: Mapping[str, float]) -> list[Place]:
    rates = {name: runs[name].success for name in costs}
    return [
        Place(name, costs[name], rate.rate, rate.low, rate.high)
        for name, rate in rates.items()
        if rate.rate is not None
    ]


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


def _command(record: Mapping[str, Any]) -> str:
    return str(record["command"])


def _costs(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What a training took, as its run recorded it."""
    if "wall_seconds" in record:
        yield "seconds, loading included", f"{record['wall_seconds']:.0f}"
        yield "CPU seconds", f"{record['cpu_seconds']:.0f}"
    for kind, size in record.get("peak_memory_bytes", {}).items():
        yield f"peak memory ({kind}), GiB", f"{size / 2**30:.2f}"


def _origin(record: Mapping[str, Any]) -> str:
    git = record.get("git") or {}
    commit = f"commit {git['commit'][:10]}{' with changes' if git['dirty'] else ''}" if git else "no commit known"
    return f"{commit} · {record['started'][:19].replace('T', ' ')} UTC · seed {record['seed']}"


def _step_name(index: int) -> str:
    return f"{index + 1}{'+' if index == LAST_STEP else ''}"


def _plain(cell: Any) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)


def _whole_lines(path: Path) -> list[bytes]:
    """All lines but a torn last one, which a training that was killed leaves."""
    return path.read_bytes().split(b"\n")[:-1] if path.is_file() else []


def _written(value: Any) -> str:
    match value:
        case str():
            return value
        case float():
            return f"{value:.6g}"
        case _:
            return orjson.dumps(value).decode()
