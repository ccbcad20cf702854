"""Where a run's curves, tables and files are shown beside its folder."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


class WandbMode(StrEnum):
    """Whether a run is sent while it goes on."""

    ONLINE = "online"
    OFFLINE = "offline"
    """Nothing is sent: `wandb sync <run folder>/wandb/offline-run-…` does that later."""


@schema
class NoTracker:
    """The run's folder alone."""

    kind: Literal["none"] = "none"


@schema
class WandbTracker:
    """Weights & Biases; the runs of a sweep are one group."""

    kind: Literal["wandb"] = "wandb"
    project: str = "agentbench"
    entity: str | None = None
    """Team or user. Off: the one that the key belongs to."""
    mode: WandbMode = WandbMode.ONLINE
    api_key_env: str = "WANDB_API_KEY"
    """Name of the environment variable (or line in `.env`) that holds the key; the key itself is never a value here."""
    trajectories: Annotated[int, Field(ge=0, le=1000)] = 20
    """How many episodes are shown in full in a table, drawn evenly from those played."""


@schema
class TensorboardTracker:
    """Event files in the run's folder, for TensorBoard."""

    kind: Literal["tensorboard"] = "tensorboard"
    trajectories: Annotated[int, Field(ge=0, le=1000)] = 20
    """How many episodes are shown in full in a table, drawn evenly from those played."""


TrackerConfig = Annotated[NoTracker | WandbTracker | TensorboardTracker, Field(discriminator="kind")]
