"""Held-out tasks that a model plays once it is trained."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from agentbench.config.schema import schema
from agentbench.config.tasks import Split


@schema
class EvaluateConfig:
    """What the trained model plays, alone, as `agentbench.eval` would let it: its success is the sweep's figure."""

    tasks: Annotated[int, Field(ge=1)] | None = None
    """How many tasks of the worlds in `env.worlds`, drawn evenly by the seed. Off: the model is not played."""
    split: Split = Split.VALIDATION
    """Whoever chooses settings by their success on test tasks has no held-out tasks left."""
    concurrency: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Episodes under way at once."""
    max_failures: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of episodes that may end with an error before the run counts as failed (exit code 3)."""
