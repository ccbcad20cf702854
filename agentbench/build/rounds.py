"""What came of the rounds of an expert iteration, read from the folders of their runs."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from rich.table import Table

from agentbench.app.chain import ROUNDS
from agentbench.app.record import read_record
from agentbench.app.writing import write_json
from agentbench.build import Report
from agentbench.build.prefs import CARD
from agentbench.episodes.rates import Rate
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import read_summary
from agentbench.episodes.table import percent
from agentbench.reporting.plots import Measure, Point, drawing
from agentbench.training_data.card import read_card
from agentbench.types import Actor, Step, record

ROLLOUT, PREFS, TRAIN, EVAL = "rollout", "prefs", "train", "eval"
"""Folders of a round's runs."""
PLOT = "rounds"


@record
class Outcome:
    """One round in numbers; round 0 is the student that was begun with."""

    round: int
    success: Rate | None
    """Of its student on the held-out tasks; `None` where it was not evaluated."""
    expert_steps: int
    """Steps that the expert took in the rollout."""
    labelled_steps: int
    """Steps of the rollout of which the expert has said what it would do, those it took included."""
    rows: int
    """Pairs, or supervised examples, that came of the rollout."""
    cpu_seconds: float
    """Of all runs of the round."""


def name(number: int) -> str:
    """Name of a round's folder."""
    return f"round_{number}"


def outcome(number: int, folder: Path) -> Outcome:
    """What a finished round came to.

    Raises:
        PreflightError, DataError: a file of one of its runs is missing or broken.
    """
    here = folder / name(number)
    success = read_summary(here / EVAL).success if (here / EVAL).is_dir() else None
    steps = _steps(here / ROLLOUT) if number else []
    card = read_card(here / PREFS / CARD) if number else {"rows": 0}
    return Outcome(
        round=number,
        success=success,
        expert_steps=sum(step.decision.actor is Actor.EXPERT for step in steps),
        labelled_steps=sum(_is_labelled(step) for step in steps),
        rows=card["rows"],
        cpu_seconds=round(sum(_cpu_seconds(here / run) for run in (ROLLOUT, PREFS, TRAIN, EVAL)), 1),
    )


def write(outcomes: Sequence[Outcome], folder: Path) -> None:
    """`rounds.json`."""
    write_json(folder / ROUNDS, outcomes)


def table(outcomes: Sequence[Outcome]) -> Table:
    """One row per round."""
    shown = Table()
    for heading in ("round", "success (95 % interval)", "expert steps", "labelled steps", "rows", "CPU seconds"):
        shown.add_column(heading, justify="right")
    for each in outcomes:
        counts = (each.expert_steps, each.labelled_steps, each.rows) if each.round else ()
        cells = [f"{count:,}" for count in counts] or ["–"] * 3
        shown.add_row(str(each.round), _success(each.success), *cells, f"{each.cpu_seconds:,.0f}")
    return shown


def plot(outcomes: Sequence[Outcome], folder: Path, report: Report) -> None:
    """Success against rounds, as PNG and SVG; nothing where fewer than two students were evaluated."""
    if find_spec("matplotlib") is None:
        report("no plot: matplotlib is not installed; pip install 'agentbench[report]'")
        return
    known = [(each.round, each.success) for each in outcomes if each.success is not None]
    points = [Point({"round": str(number)}, found.rate, found.low, found.high) for number, found in known]
    sizes = ", ".join(sorted({f"n = {found.n}" for _, found in known}))
    figure = drawing(points, Measure(f"held-out success (95 % interval, {sizes})", share=True))
    if figure is not None:
        for ending in ("png", "svg"):
            figure.savefig(folder / f"{PLOT}.{ending}", dpi=160)
            report(f"plot: {os.path.relpath(folder / f'{PLOT}.{ending}')}")


def _steps(folder: Path) -> list[Step]:
    return [step for episode in read_trajectories(folder / TRAJECTORIES) for step in episode.history.steps]


def _is_labelled(step: Step) -> bool:
    said = {step.decision.actor, *(alternative.actor for alternative in step.decision.alternatives)}
    return Actor.EXPERT in said


def _cpu_seconds(folder: Path) -> float:
    """Of the run in a folder and of those that it went on with."""
    record = read_record(folder) or {"earlier": []}
    return sum(each.get("cpu_seconds", 0.0) for each in (record, *record["earlier"]))


def _success(found: Rate | None) -> str:
    if found is None:
        return "–"
    return f"{percent(found.rate)} ({100 * found.low:.1f} – {100 * found.high:.1f})"
