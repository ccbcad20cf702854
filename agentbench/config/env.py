"""The environment an agent is put into."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env_appworld import AppWorldEnv
from agentbench.config.env_assistant import AssistantEnv
from agentbench.config.env_bfcl import BfclEnv
from agentbench.config.env_function_call import FunctionCallEnv
from agentbench.config.env_played import PlayedEnv
from agentbench.config.env_playground import PlaygroundEnv
from agentbench.config.env_tau2 import Tau2Env
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


class ToolContract(StrEnum):
    """How handle tools behave where the public peer has faults."""

    STRICT = "strict"
    """Its names, arguments, handles and peeks, without its faults."""
    VAKRA = "vakra"
    """As released, faults included, so that its figures can be reproduced."""


class EarlierTurns(StrEnum):
    """What becomes of the turns before the last one."""

    LIVED = "lived"
    """The agent answers every turn and lives with what it said."""
    GIVEN = "given"
    """Only the last turn is asked; earlier ones stand in the prompt with their gold answers."""


class Shortlister(StrEnum):
    """How tools are ranked against a question."""

    BM25 = "bm25"
    DENSE = "dense"


@schema
class ShortlistConfig:
    """Fewer tools than there are, chosen by the task's questions before the episode begins."""

    tools: Annotated[int, Field(ge=1, le=10_000)] | None = None
    """Most API tools shown. Off: all."""
    by: Shortlister = Shortlister.BM25


@schema
class InterfaceConfig:
    """How the same tools are presented: ablations over the same tasks, whose gold is rewritten to match."""

    obfuscate_names: bool = False
    """Tools become `func_12`, their parameters `arg_3`."""
    descriptions: bool = True
    """Whether tools and parameters are described in words."""
    distractor_tools: Annotated[int, Field(ge=0, le=10_000)] = 0
    """API tools beside the task's own: working ones, over the run's other worlds and over columns nobody asks for."""
    remove_needed: bool = False
    """Take away an API tool that the gold needs, and all that could stand in for it: the right answer is to say so."""
    shortlist: ShortlistConfig = ShortlistConfig()


class McpTransport(StrEnum):
    """How MCP messages travel."""

    STDIO = "stdio"
    HTTP = "http"


@schema
class StdioServer:
    """A program that speaks MCP over its standard input and output; started by the run and ended with it."""

    transport: Literal["stdio"] = "stdio"
    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """Program and arguments."""
    env: tuple[str, ...] = ()
    """Names of environment variables it is given beside PATH, HOME and the like."""
    cwd: Path | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Longest time one call may take, in seconds."""


@schema
class HttpServer:
    """A server that speaks MCP over streamable HTTP."""

    transport: Literal["http"] = "http"
    url: str
    api_key_env: str = ""
    """Name of the environment variable (or line in `.env`) with a bearer token. Empty: none is sent."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 30.0
    """Longest time one call may take, in seconds."""


McpServer = Annotated[StdioServer | HttpServer, Field(discriminator="transport")]


@schema
class McpEnv(PlayedEnv):
    """Any MCP servers' tools, on tasks from a file (`tasks.file`)."""

    kind: Literal["mcp"] = "mcp"
    servers: dict[str, McpServer]
    """By name. With more than one, a tool is called `<server>_<tool>`."""
    enforce_rules: bool = True
    """Whether a call that a task's rules forbid is refused (otherwise it is carried out and only recorded)."""
    earlier_turns: EarlierTurns = EarlierTurns.LIVED
    interface: InterfaceConfig = InterfaceConfig()
    tool_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest time one tool call may take, in seconds; past it the agent is told so."""
    tool_concurrency: dict[str, Annotated[int, Field(ge=1)]] = field(default_factory=dict)
    """Most calls under way at once, over all episodes, by name of tool: `{retrieve_documents: 8}`. Others: any."""


@schema
class M3Env(PlayedEnv):
    """The M3-style environment: API tools over databases, retrieval over document collections."""

    kind: Literal["m3"] = "m3"
    worlds: tuple[str, ...] = ("films", "geography", "chemistry")
    """Embedded domains by name, or folders written by `agentbench.prepare`."""
    tools: Granularity = Granularity.REST
    scenario: Scenario = Scenario.ANY
    """Keep only tasks of this scenario."""
    tool_availability: Availability = Availability.ANY
    """Keep only tasks of this availability."""
    enforce_rules: bool = True
    """Whether a call that a task's rules forbid is refused (otherwise it is carried out and only recorded)."""
    distractors: Annotated[int, Field(ge=0, le=100)] = 2
    """Document collections of the run's other worlds that can be searched as well; fewer where it has fewer worlds."""
    statement_timeout_s: Annotated[float, Field(gt=0, le=600)] = 2.0
    """Longest time one SQL statement may take, in seconds."""
    shown_values: Annotated[int, Field(ge=1, le=1000)] = 20
    """Longest list of values shown in full; longer ones come back as a handle with a peek. The gold chains of embedded
    worlds need 8."""
    contract: ToolContract = ToolContract.STRICT
    """How slot_filling and selection tools behave where the public peer has faults."""
    earlier_turns: EarlierTurns = EarlierTurns.LIVED
    interface: InterfaceConfig = InterfaceConfig()
    tool_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest time one tool call may take, in seconds; past it the agent is told so."""
    tool_concurrency: dict[str, Annotated[int, Field(ge=1)]] = field(default_factory=dict)
    """Most calls under way at once, over all episodes, by name of tool: `{retrieve_documents: 8}`. Others: any."""


EnvConfig = Annotated[
    M3Env | McpEnv | BfclEnv | AppWorldEnv | FunctionCallEnv | PlaygroundEnv | AssistantEnv | Tau2Env,
    Field(discriminator="kind"),
]
