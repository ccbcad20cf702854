"""The environment an agent is put into."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


class Granularity(StrEnum):
    """How the same database is offered as tools."""

    REST = "rest"
    SLOT_FILLING = "slot_filling"
    SELECTION = "selection"


class Scenario(StrEnum):
    """Which sources a question needs, and in which order."""

    ANY = "any"
    API = "api"
    RAG = "rag"
    RAG_BEFORE_API = "rag_before_api"
    API_BEFORE_RAG = "api_before_rag"


class Availability(StrEnum):
    """Which kinds of tool exist in the episode."""

    ANY = "any"
    BOTH_API_RAG = "both_api_rag"
    ONLY_API = "only_api"
    ONLY_RAG = "only_rag"
    NEITHER_API_RAG = "neither_api_rag"


@schema
class EnvConfig:
    """The M3-style environment: API tools over databases, retrieval over document collections."""

    kind: Literal["m3"] = "m3"
    worlds: tuple[str, ...] = ("films", "geography", "chemistry")
    """Embedded domains by name, or folders written by `agentbench.prepare`."""
    tools: Granularity = Granularity.REST
    scenario: Scenario = Scenario.ANY
    """Keep only tasks of this scenario."""
    tool_availability: Availability = Availability.ANY
    """Keep only tasks of this availability."""
    horizon: Annotated[int, Field(ge=1, le=1000)] = 20
    """Most steps in an episode; then it is truncated."""
    enforce_rules: bool = True
    """Whether a call that a task's rules forbid is refused (otherwise it is carried out and only recorded)."""
    distractors: Annotated[int, Field(ge=0, le=100)] = 2
    """Document collections of the run's other worlds that can be searched as well; fewer where it has fewer worlds."""
    statement_timeout_s: Annotated[float, Field(gt=0, le=600)] = 2.0
    """Longest time one SQL statement may take, in seconds."""
    shown_values: Annotated[int, Field(ge=1, le=1000)] = 20
    """Longest list of values shown in full; longer ones come back as a handle with a peek. The gold chains of embedded
    worlds need 8."""
