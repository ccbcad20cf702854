"""A run's figures as tables for the terminal; every row of success and of means has the baselines beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agentbench.episodes.rates import Rate
from agentbench.episodes.table import percent
from agentbench.reporting.estimates import Estimate
from agentbench.reporting.facts import HELP, MEASURES
from agentbench.reporting.judged import JudgedSuccess
from agentbench.reporting.plain import harmless
from agentbench.reporting.repeats import Repeated
from agentbench.reporting.statistics import LAST_STEP, Figures, Statistics

_TITLES = {"tool_availability": "tools"}
_RIGHT = "right"


def run_tables(found: Statistics) -> Group:
    """Success by group, several samples, means, step categories over time, and what a judge's errors leave."""
    parts: list[RenderableType] = [success_table(found), *several_tables(found), means_table(found)]
    if found.categories_by_step:
        parts.append(categories_table(found.categories_by_step))
    parts.append(Text("\n".join(notes(found))))
    return Group(*parts)


def success_table(found: Statistics) -> Table:
    """Success with its interval by every group, and of all; in the last rows without failures, where there were any."""
    table = Table(title="success", title_justify="left")
    table.add_column("episodes of")
    for heading in ("n", "solved", "rate", "95 % interval", *found.baselines):
        table.add_column(heading, justify=_RIGHT)
    for by, rates in found.run.groups.items():
        for name, rate in rates.items():
            beside = [_group_rate(other, by, name) for other in found.baselines.values()]
            table.add_row(harmless(f"{_TITLES.get(by, by)} {name}"), *rate_cells(rate), *beside)
        table.add_section()
    beside = [percent(other.success.rate) for other in found.baselines.values()]
    if found.run.failures:
        clean = [percent(other.success_without_failures.rate) for other in found.baselines.values()]
        table.add_row("all, without failures", *rate_cells(found.run.success_without_failures), *clean, style="bold")
    title = "all, failures unsolved" if found.run.failures else "all"
    table.add_row(title, *rate_cells(found.run.success), *beside, style="bold")
    if found.run.families.n:
        beside = [percent(other.families.rate) for other in found.baselines.values()]
        table.add_row("families, all tasks solved", *rate_cells(found.run.families), *beside)
    return table


def means_table(found: Statistics) -> Table:
    """Means per episode with their intervals, and refusals."""
    table = Table(title="per episode", title_justify="left")
    table.add_column("")
    for heading in ("mean", "95 % interval", *found.baselines):
        table.add_column(heading, justify=_RIGHT)
    for name, estimate in found.run.measures.items():
        if name in HELP and not estimate.value:
            continue  # nobody helped
        beside = [number(other.measures[name].value) if name in other.measures else "–" for other in _others(found)]
        label = f"{name} ({MEASURES[name]})" if MEASURES[name] else name
        table.add_row(label, number(estimate.value), interval(estimate), *beside)
    for name, estimate in found.run.scores.items():
        beside = [number(other.scores[name].value) if name in other.scores else "–" for other in _others(found)]
        table.add_row(f"score {name}", number(estimate.value), interval(estimate), *beside)
    table.add_section()
    for label, rate, others in _shares(found):
        table.add_row(label, percent(rate.rate), interval_of(rate), *(percent(other.rate) for other in others))
    return table


def categories_table(by_step: tuple[dict[str, int], ...]) -> Table:
    """Shares of step categories among all first steps, all second steps, and so on."""
    names = list(dict.fromkeys(name for counts in by_step for name in counts))
    table = Table(title="step categories over time", title_justify="left")
    for heading in ("step", "n"):
        table.add_column(heading, justify=_RIGHT)
    for name in names:
        table.add_column(Text(name.replace("_", " ")), justify=_RIGHT)
    for index, counts in enumerate(by_step):
        total = sum(counts.values())
        shares = (f"{100 * counts[name] / total:.0f} %" if name in counts else "" for name in names)
        table.add_row(f"{index + 1}{'+' if index == LAST_STEP else ''}", str(total), *shares)
    return table


def rate_cells(rate: Rate) -> tuple[str, str, str, str]:
    """n, solved, rate, interval."""
    return str(rate.n), str(rate.count), percent(rate.rate), interval_of(rate)


def interval_of(rate: Rate) -> str:
    """A rate's interval in per cent."""
    return _ends(rate.low, rate.high, 100, " %") if rate.n else "–"


def interval(estimate: Estimate) -> str:
    """An estimate's interval; a dash where the sample says nothing."""
    if estimate.low is None or estimate.high is None:
        return "–"
    return f"{number(estimate.low)} – {number(estimate.high)}"


def number(value: float | None) -> str:
    """A figure with three digits or so; a dash where there is none."""
    if value is None:
        return "–"
    size = abs(value)
    return (
        f"{value:,.0f}"
        if size >= 1000
        else f"{value:.1f}"
        if size >= 100
        else f"{value:.4g}"
        if size < 0.1
        else f"{value:.2f}"
    )


def _ends(low: float | None, high: float | None, scale: float = 1, unit: str = "") -> str:
    return "–" if low is None or high is None else f"{scale * low:.1f} – {scale * high:.1f}{unit}"


def _group_rate(figures: Figures, by: str, name: str) -> str:
    found = figures.groups.get(by, {}).get(name)
    return percent(found.rate) if found else "–"


def _others(found: Statistics) -> Iterator[Figures]:
    yield from found.baselines.values()


def _shares(found: Statistics) -> Iterator[tuple[str, Rate, list[Rate]]]:
    run = found.run
    yield "refused, of turns without an answer", run.refused_rightly, [each.refused_rightly for each in _others(found)]
    yield "refused, of turns with an answer", run.refused_wrongly, [each.refused_wrongly for each in _others(found)]


def several_tables(found: Statistics) -> Iterator[Table]:
    """pass@k and pass^k; nothing where every task was played once."""
    if max(found.pass_at, default=1) == 1:
        return
    table = Table(title="several episodes of a task", title_justify="left")
    for heading in ("k", "pass@k: any solved", "95 % interval", "pass^k: all solved", "95 % interval"):
        table.add_column(heading, justify=_RIGHT)
    for k, any_solved in found.pass_at.items():
        all_solved = found.pass_all[k]
        table.add_row(str(k), *_share_cells(any_solved), *_share_cells(all_solved))
    yield table
    if found.repeats:
        yield repeats_table(found.repeats)


def repeats_table(repeats: Mapping[str, Repeated]) -> Table:
    """Success and scores over repeated runs, with their standard errors."""
    table = Table(title="over repeated runs", title_justify="left")
    table.add_column("")
    for heading in ("runs", "mean ± standard error"):
        table.add_column(heading, justify=_RIGHT)
    for name, figure in repeats.items():
        told = f"{100 * figure.mean:.1f} ± {100 * figure.standard_error:.1f} %"
        table.add_row(harmless(name), str(figure.runs), told)
    return table


def _share_cells(estimate: Estimate) -> tuple[str, str]:
    return percent(estimate.value), _ends(estimate.low, estimate.high, 100, " %")


def notes(found: Statistics) -> Iterator[str]:
    """What a reader has to know beside the figures: failures, repeated tasks, missing baselines, the judge's errors."""
    run = found.run
    if run.failures:
        kinds = ", ".join(f"{name} {count}" for name, count in sorted(run.failures.items()))
        yield (
            f"failures: {sum(run.failures.values())} of {run.episodes} episodes say nothing about the agent ({kinds});"
            " wherever nothing else is said they count as unsolved"
        )
    if run.episodes > run.tasks:
        yield f"{run.episodes} episodes of {run.tasks} tasks: intervals are by the bootstrap over tasks"
    missing = [name for name in found.baselines if found.baselines[name].episodes == 0]
    if not found.baselines or missing:
        yield "no baselines were played beside this run"
    if found.judged is not None:
        yield from _judged_notes(found.judged)


def _judged_notes(judged: JudgedSuccess) -> Iterator[str]:
    yield f"judge: {percent(judged.by_judge.rate)} solved ({interval_of(judged.by_judge)}) of {judged.by_judge.n}"
    if judged.corrected.value is None:
        yield "its errors are unknown: no episode has a label or a score of the rules"
        return
    yield (
        f"its errors, on {judged.labelled} labelled episodes: it is right about"
        f" {percent(judged.sensitivity.rate)} of those solved and {percent(judged.specificity.rate)} of the others"
    )
    ends = _ends(judged.corrected.low, judged.corrected.high, 100, " %")
    yield f"corrected by them: {percent(judged.corrected.value)} ({ends})"


def settings_table(settings: Mapping[str, list[object]], names: list[str]) -> Table:
    """Keys in which runs differ, with the value in each."""
    table = Table(title="what differs", title_justify="left")
    table.add_column("key")
    for name in names:
        table.add_column(harmless(name))
    for key, values in settings.items():
        table.add_row(harmless(key), *(harmless(str(value), longest=60) for value in values))
    return table
