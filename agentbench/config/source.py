"""Where worlds come from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

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


SourceConfig = Annotated[EmbeddedSource | SqliteSource | VakraSource, Field(discriminator="kind")]
