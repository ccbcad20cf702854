"""The agent under study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


@schema
class AgentConfig:
    """A chat agent: one completion per step."""

    kind: Literal["chat"] = "chat"
    temperature: Annotated[float, Field(ge=0, le=5)] = 0.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Longest completion, in tokens."""
    system_prompt: Path | None = None
    """Text file. Off: the one that ships beside the policy."""
