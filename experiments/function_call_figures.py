"""Figures of a function-calling study for its notebook: what failed in which run, and accuracy against its cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentbench.reporting.comparison import Comparison
from agentbench.reporting.run_folder import Run, read_run
from agentbench.scoring.call_faults import Failure, failure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def runs_below(folder: Path) -> list[Run]:
    """The evaluations below a folder, in the order in which they were made.

    Raises:
        PreflightError: there is none.
    """
    found = [path.parent for path in folder.glob("*/statistics.json")] or [folder]
    return sorted((read_run(path) for path in found), key=lambda run: str(run.record["started"]))


def failures(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """Share of the episodes by what went wrong first, by run; `none` where nothing did."""
    return {run.folder.name: _shares(run) for run in runs}


def _shares(run: Run) -> dict[str, float]:
    counts = Counter(str(failure(trajectory) or "none") for trajectory in run.trajectories())
    return {kind: counts[kind] / counts.total() for kind in ("none", *map(str, Failure)) if counts[kind]}


def accuracy_plot(found: Comparison) -> Figure:
    """Exact matches with their 95 % intervals: by run, and against the seconds its training took."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    by_run, by_cost = figure.subplots(1, 2)
    for place, run in enumerate(found.runs):
        rate = run.figures.success
        ends = [[100 * (rate.rate - rate.low)], [100 * (rate.high - rate.rate)]] if rate.rate is not None else None
        by_run.errorbar([place], [100 * (rate.rate or 0.0)], yerr=ends, fmt="o", capsize=4, color=f"C{place}")
        if run.training and run.training.seconds:
            cost = [run.training.seconds]
            by_cost.errorbar(cost, [100 * (rate.rate or 0.0)], yerr=ends, fmt="o", capsize=4, label=run.name)
    by_run.set_xticks(range(len(found.runs)), [run.name for run in found.runs])
    by_run.set_ylabel("exact match, % (95 % interval)")
    by_cost.set_xlabel("training seconds, all trainings of the model")
    if by_cost.get_legend_handles_labels()[0]:
        by_cost.legend()
    return figure


def failures_plot(shares: dict[str, dict[str, float]]) -> Figure:
    """What went wrong, by run, in stacked bars."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    kinds = [kind for kind in map(str, Failure) if any(kind in each for each in shares.values())]
    below = [0.0] * len(shares)
    for kind in kinds:
        heights = [100 * each.get(kind, 0.0) for each in shares.values()]
        axes.bar(list(shares), heights, bottom=below, label=kind)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set_ylabel("episodes, %")
    if kinds:
        axes.legend()
    return figure
