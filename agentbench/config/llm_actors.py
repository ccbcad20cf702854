"""Language models beside the agent: expert, overseer, judge; each has a rule-made counterpart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.model import Price
from agentbench.config.schema import schema


@schema
class Endpoint:
    """A model behind an OpenAI-compatible HTTP server, and how it is asked."""

    base_url: str
    """Address up to and including the version: `http://127.0.0.1:8000/v1`."""
    name: str
    """Model name the server knows."""
    api_key_env: str = "OPENAI_API_KEY"
    """Name of the environment variable (or line in `.env`) that holds the key; the key itself is never a value here."""
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Limit for one attempt, in seconds."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 4
    """Further attempts after 408, 429, 5xx, cut connections, time-outs and garbage (these two: twice at most)."""
    down_timeout_s: Annotated[float, Field(ge=0)] = 300.0
    """Longest time for which a server that went away is waited for, in seconds; see `model.down_timeout_s`."""
    max_connections: Annotated[int, Field(ge=1)] = 32
    """Requests under way at once."""
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    """Longest completion, in tokens."""
    temperature: Annotated[float, Field(ge=0, le=5)] = 0.0
    schema_guided: bool = True
    """Ask the server to hold its answers to a JSON Schema (`response_format`); off for servers that cannot."""
    cache: bool = True
    """Keep answers in `cache_dir`; the same question to the same model is not asked, or paid, twice."""
    price: Price = Price()


@schema
class GoldExpert:
    """Plays the next gold call that the history still lacks."""

    kind: Literal["gold"] = "gold"


@schema
class LlmExpert:
    """A language model that sees the observations and the gold trajectory and writes the next thought and action."""

    kind: Literal["llm"] = "llm"
    endpoint: Endpoint
    prompt: Path | None = None
    """Text file with its instructions. Off: the one that ships beside the policy."""


ExpertConfig = Annotated[GoldExpert | LlmExpert, Field(discriminator="kind")]


@schema
class RuleOverseer:
    """Finds the agent stuck by rules: failing, repeating itself, no progress toward gold, answering too early."""

    kind: Literal["rules"] = "rules"


@schema
class LlmOverseer:
    """A language model that says whether the agent is stuck, repeating itself or off policy."""

    kind: Literal["llm"] = "llm"
    endpoint: Endpoint
    prompt: Path | None = None
    """Text file with its instructions. Off: the one that ships beside the policy."""


OverseerConfig = Annotated[RuleOverseer | LlmOverseer, Field(discriminator="kind")]


@schema
class NoJudge:
    """Answers are scored by rules alone."""

    kind: Literal["none"] = "none"


@schema
class LlmJudge:
    """A language model that says whether an answer means the gold one. Where it fails the answer is unscored."""

    kind: Literal["llm"] = "llm"
    endpoint: Endpoint
    prompt: Path | None = None
    """Text file with its instructions. Off: the one that ships beside the scorer."""


JudgeConfig = Annotated[NoJudge | LlmJudge, Field(discriminator="kind")]
