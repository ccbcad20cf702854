"""Where worlds come from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env_assistant import AssistantTool
from agentbench.config.llm_actors import Endpoint
from agentbench.config.retriever import EncoderConfig
from agentbench.config.schema import schema


@schema
class TaskCounts:
    """Tasks to generate per world and split; fewer come out where a world has too few entities."""

    train: Annotated[int, Field(ge=0)] = 5000
    validation: Annotated[int, Field(ge=0)] = 150
    test: Annotated[int, Field(ge=0)] = 300


@schema
class EmbeddedSource:
    """The domains that come with ordinary Python packages."""

    kind: Literal["embedded"] = "embedded"
    domains: tuple[str, ...] = ("films", "geography", "chemistry")
    tasks: TaskCounts = TaskCounts()


@schema
class SqliteSource:
    """A user's own database file and folder of text."""

    kind: Literal["sqlite"] = "sqlite"
    database: Path
    """SQLite file; opened read-only and copied into the world's folder."""
    documents: Path | None = None
    """Folder with .txt and .md files, searched recursively. Off: no collection, only API tasks."""
    name: str = ""
    """Name of the domain: letters, digits, underscores. Empty: from the file's name."""
    tasks: TaskCounts = TaskCounts()


@schema
class VakraSource:
    """Data in VAKRA's format that the user brings; databases are used where they lie."""

    kind: Literal["vakra"] = "vakra"
    data_dir: Path
    """Folder with input and, where there is any, ground-truth files, one pair per domain; searched recursively."""
    databases: Path | None = None
    """Folder under which `<domain>.sqlite` files lie. Off: `data_dir`."""
    documents: Path | None = None
    """Folder with one document file or folder per domain. Off: `data_dir`."""
    openapi: Path | None = None
    """OpenAPI document (JSON or YAML) of the REST endpoints, or a folder with one per domain. Off: `data_dir`."""
    base_url: str = ""
    """Address of the REST server. Empty: endpoints of domains that need one are left out, and counted."""
    domains: tuple[str, ...] = ()
    """Domains to read. None: all."""


class Quantised(StrEnum):
    """Bits per number of a vector."""

    INT8 = "int8"
    """Eight, all compared."""
    BINARY = "binary"
    """One, and the best looked at again with eight: less memory, a little less exact."""


@schema
class DumpSource:
    """A dump of an encyclopedia that the user brings, made into an index for `search_encyclopedia`."""

    kind: Literal["dump"] = "dump"
    path: Path
    """File of JSON lines with title and text (.gz and .bz2 too), or a folder of them: WikiExtractor's `--json`."""
    quantisation: Quantised = Quantised.INT8
    passage_chars: Annotated[int, Field(ge=100)] = 1000
    """Longest passage, in characters."""
    limit: Annotated[int, Field(ge=1)] | None = None
    """Most passages. Off: all."""
    encoder: EncoderConfig = EncoderConfig()


@schema
class AssistantSource:
    """Requests to an assistant, written by a language model: `tasks.file` of env=assistant."""

    kind: Literal["assistant"] = "assistant"
    endpoint: Endpoint
    """The model that writes them; a temperature above 0 makes them differ more."""
    tools: tuple[AssistantTool, ...] = tuple(AssistantTool)
    """What the assistant is said to have."""
    tasks: TaskCounts = TaskCounts(train=200, validation=50, test=50)
    multi_step: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Share of the requests that need 2 to 5 tool calls; the others need one."""
    prompt: Path | None = None
    """Text file with its instructions. Off: those that ship beside the code."""


@schema
class PaymentsSource:
    """Colloquial requests about money, made by the seed: for `env=function_call`, and as worlds for `env=appworld`."""

    kind: Literal["payments"] = "payments"
    requests: TaskCounts = TaskCounts(train=5000, validation=500, test=500)
    """Requests for function calling, no two in the same words; patterns differ between splits."""
    appworld: bool = False
    """Make worlds for AppWorld's engine too, in which the people exist and the money moves; needs `make appworld`."""
    scenarios: TaskCounts = TaskCounts(train=20, validation=5, test=10)
    """Scenarios for the engine, of three tasks each."""
    python: Path | None = None
    """Interpreter that has AppWorld. Off: the one of `make appworld`, .venv-appworld/bin/python."""


@schema
class ToolbenchSource:
    """Traces of ToolBench, as trajectories to train on."""

    kind: Literal["toolbench"] = "toolbench"
    path: Path
    """Folder with traces in folders named `G1_answer` and the like; searched recursively."""


SourceConfig = Annotated[
    EmbeddedSource | SqliteSource | VakraSource | PaymentsSource | DumpSource | AssistantSource | ToolbenchSource,
    Field(discriminator="kind"),
]
