"""A comparison as tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from agentbench.episodes.table import percent
from agentbench.reporting.comparison import Against, Comparison, Flip
from agentbench.reporting.plain import harmless, one_line
from agentbench.reporting.statistics import Figures
from agentbench.reporting.tables import interval_of, number, settings_table
from agentbench.reporting.trained import Training

_GIB = 2**30
QUESTION_CHARS = 160


def comparison_tables(found: Comparison, flips: int) -> Group:
    """All runs in one table, the differences from the first, what differs between them, and some flips side by side."""
    names = [run.name for run in found.runs]
    parts: list[RenderableType] = [runs_table(found), differences_table(found)]
    if found.settings:
        parts.append(settings_table(found.settings, names))
    if found.allowed:
        parts.append(Text(f"compared although these differ, as asked: {', '.join(found.allowed)}"))
    for other in found.against_first:
        parts += _flips(other, names[0], flips)
    return Group(*parts)


def runs_table(found: Comparison) -> Table:
    """What each run and baseline came to, and what the training of its model cost; one column each."""
    table = Table(title=f"runs on the same {found.runs[0].figures.tasks} tasks", title_justify="left")
    table.add_column("")
    for name in (*(run.name for run in found.runs), *found.baselines):
        table.add_column(harmless(name), justify="right")
    columns = [{**_agent(run.figures), **_training(run.training)} for run in found.runs]
    columns += [{**_agent(figures), **_training(None)} for figures in found.baselines.values()]
    for heading in dict.fromkeys(heading for column in columns for heading in column):
        table.add_row(heading, *(column.get(heading, "–") for column in columns))
    return table


def differences_table(found: Comparison) -> Table:
    """Each run against the first, over tasks that both played."""
    several = len(found.against_first) > 1
    table = Table(title=f"against {found.runs[0].name}", title_justify="left")
    table.add_column("run")
    for heading in ("difference", "95 % interval", "gained", "lost", "p", *(["p (Holm)"] if several else [])):
        table.add_column(heading, justify="right")
    for other in found.against_first:
        by = other.difference
        ends = f"{100 * by.low:+.1f} – {100 * by.high:+.1f}"
        cells = (f"{100 * by.value:+.1f} points", ends, str(by.only_second), str(by.only_first), p_value(by.p))
        table.add_row(harmless(other.name), *cells, *([p_value(other.p_holm)] if several else []))
    return table


def p_value(p: float) -> str:
    """Three decimals, or that it is less."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def _agent(figures: Figures) -> dict[str, str]:
    measures = {name: estimate.value for name, estimate in figures.measures.items()}
    tokens = (measures.get("prompt tokens") or 0.0) + (measures.get("completion tokens") or 0.0)
    solved = tokens * figures.episodes / figures.success.count if figures.success.count else None
    return {
        "episodes": str(figures.episodes),
        "success": percent(figures.success.rate),
        "95 % interval": interval_of(figures.success),
        "failures (counted as unsolved)": str(sum(figures.failures.values())),
        "success without failures": percent(figures.success_without_failures.rate),
        "steps per episode": number(measures.get("steps")),
        "model seconds per episode": number(measures.get("model seconds")),
        "tokens per episode": number(tokens),
        "completion tokens per episode": number(measures.get("completion tokens")),
        "tokens per solved episode": number(solved),
        **{f"score {name}": percent(estimate.value) for name, estimate in figures.scores.items()},
    }


def _training(training: Training | None) -> dict[str, str]:
    sizes = (training.peak_ram_bytes, training.peak_cuda_bytes) if training else (None, None)
    ram, cuda = (number(None if size is None else size / _GIB) for size in sizes)
    return {
        "trained by": " → ".join(training.stages) if training else "–",
        "training seconds": number(training.seconds) if training else "–",
        "training's peak RAM, GiB": ram,
        "training's peak GPU memory, GiB": cuda,
    }


def _flips(other: Against, first: str, most: int) -> Iterator[RenderableType]:
    total = len(other.flips)
    if not total or not most:
        return
    shown = _some_of_either(other, most)
    yield Text(f"\nflipped between {first} and {other.name}: {total} tasks, {len(shown)} shown", style="bold")
    for flip in shown:
        yield harmless(f"{flip.task}: {one_line(flip.question, QUESTION_CHARS)}")
        table = Table(show_header=False, box=None, padding=(0, 1))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        apart = flip.apart
        sides = ("every step was the same",) * 2 if apart is None else (apart.first, apart.second)
        where = "" if apart is None else f"step {apart.step}: "
        for name, share, said in zip((first, other.name), (flip.first, flip.second), sides, strict=True):
            table.add_row(harmless(f"{name} ({percent(share)})"), harmless(f"{where}{said}"))
        yield table


def _some_of_either(other: Against, most: int) -> list[Flip]:
    """Up to `most` flips, half of them gained and half lost where there are enough of both."""
    gained = [flip for flip in other.flips if flip.second > flip.first]
    lost = [flip for flip in other.flips if flip.second < flip.first]
    few = min(len(lost), most // 2)
    return [*gained[: most - few], *lost[: max(few, most - len(gained))]]
