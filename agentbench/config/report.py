"""What is looked at, and how."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentbench.config.schema import schema


class View(StrEnum):
    """Where a report is read."""

    HTML = "html"
    """Tables here, and all of it with every trajectory in one file, `report.html`."""
    TERMINAL = "terminal"
    """Here alone."""


@schema
class ReportConfig:
    """`python -m agentbench.report`: what came of runs. One of run, compare and lineage says of which."""

    seed: int = 0
    """Draws the resamples behind intervals."""
    view: View = View.HTML
    run: Path | None = None
    """Folder of a rollout, an evaluation, a training or a sweep that is shown."""
    trajectory: str | None = None
    """With run: the one episode that is shown step by step, as `task id` or `task id#sample`."""
    compare: tuple[Path, ...] = ()
    """Folders of two or more runs on the same tasks; each is compared with the first."""
    allow: tuple[str, ...] = ()
    """With compare: keys in which the runs differ on purpose, `env.horizon` or a whole part like `env`; with `tasks`
    those that all have are compared."""
    flips: Annotated[int, Field(ge=0)] = 3
    """With compare: tasks whose outcome changed that are shown side by side, per run; all are in `comparison.json`."""
    lineage: Path | None = None
    """Adapter, model, run folder or file whose origin and use are shown."""
    outputs: Path
    """With lineage: folder that is searched for runs which used it."""
    labels: Path | None = None
    """With run: what people say of judged episodes, {"task": id, "sample": 0, "solved": true} per line; measures the
    judge's errors in place of the rules."""
