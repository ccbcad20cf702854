"""What a world declares about its database: the endpoints of REST tools and the universes of handle tools.

Both are data (JSON in the world's folder), written by `worlds` and read by the tool modules beside this file.
"""

from __future__ import annotations

from typing import Any

from agentbench.types import record


@record
class Endpoint:
    """One parameterised REST-style endpoint: a query template whose values are always bound."""

    name: str
    description: str
    sql: str
    """One SELECT with named parameters (`:title`) and one result column."""
    parameters: dict[str, dict[str, Any]]
    """JSON Schema of each parameter by name; all are required."""
    key: str
    """Name under which the values stand in the answer: `{"director": ["Jack Lee"]}`."""


@record
class Column:
    """One readable column of a universe."""

    name: str
    type: str
    """`TEXT`, `INTEGER` or `REAL`."""
    description: str
    expression: str
    """Where it comes from, as quoted SQL: `"films"."title"`."""


@record
class Universe:
    """A table, or tables joined along foreign keys, that handle tools can start from."""

    id: str
    description: str
    source: str
    """The FROM clause without the word: `"isotopes" JOIN "elements" ON …`, identifiers quoted."""
    columns: tuple[Column, ...]
