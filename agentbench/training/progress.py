"""A bar for trainings: one per thing that is being learnt, or a line now and then where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[str, int, int, float], None]
"""Called as `report(what is being learnt, step, last step, figure)`; the figure is a loss or a share."""

LINES = 10
"""Lines per training where the output is no terminal."""


@contextmanager
def showing(console: Console) -> Iterator[Report]:
    """A report function that draws on the console while the context lasts."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[figure]}"), console=console, refresh_per_second=2) as bars:
        known: dict[str, int] = {}
        told: dict[str, int] = {}

        def report(what: str, step: int, last: int, figure: float) -> None:
            if what not in known:
                known[what] = int(bars.add_task(what, total=last, figure=""))
            bars.update(bars.task_ids[known[what]], completed=step, total=last, figure=f"{figure:.3f}")
            tenth = step * LINES // last
            if not console.is_terminal and tenth > told.get(what, -1):
                told[what] = tenth
                console.print(f"{what}: step {step} of {last}, {figure:.3f}")

        yield report
