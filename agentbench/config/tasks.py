"""Which tasks of the worlds are run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from agentbench.config.schema import schema


class Split(StrEnum):
    """Disjoint by entity and by question template."""

    TRAIN = "train"
    VALIDATION = "validation"
    TEST = "test"


@schema
class TasksConfig:
    """A selection of tasks; the same selection gives the same tasks in the same order."""

    file: Path | None = None
    """Task file (JSON lines) to run instead of the worlds' own; required with env=mcp."""
    split: Split = Split.TEST
    limit: Annotated[int, Field(ge=1)] | None = None
    """Most tasks, drawn evenly over worlds by the seed. Off: all."""
