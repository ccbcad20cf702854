"""One tool per endpoint: a query template with named parameters, answered in one go and without handles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.spec import Endpoint
from agentbench.tools.sql.values import observation, shown
from agentbench.types import Observation, ToolSpec


def rest_tools(database: Database, endpoints: Sequence[Endpoint], shown_values: int) -> tuple[Tool, ...]:
    """One tool per endpoint. They keep nothing between calls, so episodes may share them."""
    return tuple(RestTool(database, endpoint, shown_values) for endpoint in endpoints)


class RestTool:
    """One endpoint: `{"director": ["Jack Lee"]}`, with `num_values` beside it where there are more than are shown."""

    __slots__ = ("_database", "_key", "_shown_values", "_sql", "spec")

    def __init__(self, database: Database, endpoint: Endpoint, shown_values: int) -> None:
        self.spec = _spec(endpoint)
        self._database = database
        self._sql = endpoint.sql
        self._key = endpoint.key
        self._shown_values = shown_values

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The endpoint's values for the arguments; an empty list where nothing matches.

        Raises:
            ToolError: the database refuses the statement or the values.
        """
        rows = await self._database.query(self._sql, arguments)
        payload: dict[str, Any] = {self._key: [shown(row[0]) for row in rows[: self._shown_values]]}
        if len(rows) > self._shown_values:
            payload["num_values"] = len(rows)
        return observation(payload)


def _spec(endpoint: Endpoint) -> ToolSpec:
    parameters = {
        "type": "object",
        "properties": endpoint.parameters,
        "required": list(endpoint.parameters),
        "additionalProperties": False,
    }
    return ToolSpec(endpoint.name, endpoint.description, parameters)
