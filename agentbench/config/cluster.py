"""Where the episodes of a run are played."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.launcher import SingleLauncher
from agentbench.config.schema import schema


@schema
class RayLauncher:
    """Workers on a Ray cluster; each has its own worlds and model, this process alone writes the run's folder.

    Workers need agentbench and what the configuration names: files at the same paths, keys in their environment.
    """

    kind: Literal["ray"] = "ray"
    address: str = "local"
    """`local`: a cluster of this machine alone, started for the run and ended with it. `auto`: the one this machine
    belongs to. `ray://host:10001`: one elsewhere."""
    workers: Annotated[int, Field(ge=1, le=10_000)] = 2
    """`concurrency` is what they have under way together."""
    cpus: Annotated[int, Field(ge=1)] = 1
    """CPUs that Ray sets aside for each worker."""
    gpus: Annotated[float, Field(ge=0)] = 0.0
    """GPUs for each worker, for model=hf; workers can share one: 0.5."""
    start_timeout_s: Annotated[float, Field(gt=0)] = 600.0
    """Longest time until all workers are ready, in seconds."""


PlayLauncher = Annotated[SingleLauncher | RayLauncher, Field(discriminator="kind")]
