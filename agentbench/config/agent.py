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
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Draw from this many likeliest tokens. This and the next five are for servers (model=openai, serve=vllm)."""
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Draw from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    """Above 1: tokens of prompt and completion become less likely to be said again."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: tuple[str, ...] = ()
    """Texts that end a completion, beside the template's own."""
    system_prompt: Path | None = None
    """Text file. Off: the one that ships beside the policy."""

    @property
    def server_only(self) -> tuple[str, ...]:
        """Keys that are set and that engines in this process do not know."""
        given = {
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "stop": self.stop or None,
        }
        return tuple(name for name, value in given.items() if value is not None)
