"""How a model is trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


@schema
class SftStage:
    """Supervised fine-tuning on trajectories; the loss covers the actor's tokens only."""

    kind: Literal["sft"] = "sft"
    epochs: Annotated[float, Field(gt=0)] = 2.0
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    """Peak, reached after the warm-up, then a cosine down to a tenth."""
    warmup_ratio: Annotated[float, Field(ge=0, le=1)] = 0.05
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Trajectories per optimizer step."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    max_length: Annotated[int, Field(ge=16)] = 1024
    """Longer trajectories are left out, and counted, in tokens."""


StageConfig = SftStage
