"""The tables of one episode: what handles stand for, and how a table or a list is shown.

A table is shown as a peek, `{"handle": "filtered_films_2", "num_records": 74, "key_details": [{"name", "dtype",
"first_3_values"}, …]}`; a list in full, `{"director": ["Jack Lee"]}`, or as a handle with a peek when it is long.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.sql.database import Database, Rows, Scalar
from agentbench.tools.sql.relations import Relation, missing
from agentbench.tools.sql.values import shown

PEEK_ROWS = 3
_DTYPES = {"TEXT": "string", "INTEGER": "integer", "REAL": "number"}


class Session:
    """The handle table of one episode. Handles are numbered in the order they were made."""

    __slots__ = ("_database", "_relations", "_shown_values", "_universes")

    def __init__(self, database: Database, universes: Mapping[str, Relation], shown_values: int) -> None:
        self._database = database
        self._universes = universes
        self._shown_values = shown_values
        self._relations: dict[str, Relation] = {}

    def copy(self) -> Session:
        """The same handles, to which each adds its own from now on."""
        twin = Session(self._database, self._universes, self._shown_values)
        twin._relations = dict(self._relations)
        return twin

    def universe(self, name: str) -> Relation:
        """All rows of a universe.

        Raises:
            ToolError: there is no such universe.
        """
        if name not in self._universes:
            raise ToolError(missing("tool universe", name, self._universes))
        return self._universes[name]

    def relation(self, handle: str) -> Relation:
        """The table or list behind a handle.

        Raises:
            ToolError: this episode made no such handle.
        """
        if handle not in self._relations:
            if not self._relations:
                raise ToolError(f"there is no handle {handle[:100]!r}: none was made yet, start with get_data")
            raise ToolError(missing("handle", handle, self._relations))
        return self._relations[handle]

    def list_name(self, handle: str) -> str:
        """Name of a list handle's one column.

        Raises:
            ToolError: the handle is unknown, or stands for a table.
        """
        columns = list(self.relation(handle).columns)
        if len(columns) > 1:
            raise ToolError(f"{handle} is a table of {len(columns)} columns and a list is wanted; take one column")
        return columns[0]

    async def table(self, verb: str, relation: Relation) -> dict[str, Any]:
        """Makes a handle for the relation and gives its peek; `verb` says in the handle what was done."""
        rows = await self._head(relation, PEEK_ROWS + 1)
        return await self._peek(f"{verb}_{relation.label}" if verb else relation.label, relation, rows)

    async def values(self, relation: Relation) -> dict[str, Any]:
        """The values of a one-column relation by its name, or a handle with a peek where they are too many."""
        rows = await self._head(relation, max(self._shown_values, PEEK_ROWS) + 1)
        if len(rows) > self._shown_values:
            return await self._peek(relation.label, relation, rows)
        return {name: [shown(row[0]) for row in rows] for name in relation.columns}

    async def row(self, relation: Relation, template: str, name: str) -> tuple[Any, ...]:
        """One row of aggregates: `template` is SQL with a `{}` wherever the named column goes."""
        sql = relation.value_sql(template, name)
        return (await self._database.query(sql.text, sql.values))[0]

    async def count(self, relation: Relation) -> int:
        """Number of rows; remembered, so that sorting or transforming a table does not count it again."""
        sql = relation.count_sql()
        count = await self._database.count(sql.text, sql.values)
        return count if relation.limit is None else min(count, relation.limit)

    async def first(self, relation: Relation) -> Scalar:
        """The first value of a one-column relation, `None` where it has no rows."""
        rows = await self._head(relation, 1)
        return rows[0][0] if rows else None

    async def _head(self, relation: Relation, limit: int) -> Rows:
        sql = relation.rows_sql(limit)
        return await self._database.query(sql.text, sql.values)

    async def _peek(self, label: str, relation: Relation, rows: Rows) -> dict[str, Any]:
        """`rows` are the relation's first ones: all of them where there are no more than `PEEK_ROWS`."""
        count = len(rows) if len(rows) <= PEEK_ROWS else await self.count(relation)
        handle = f"{label}_{len(self._relations) + 1}"
        self._relations[handle] = relation
        details = [
            {"name": name, "dtype": _DTYPES[column.type], "first_3_values": [shown(row[i]) for row in rows[:PEEK_ROWS]]}
            for i, (name, column) in enumerate(relation.columns.items())
        ]
        return {"handle": handle, "num_records": count, "key_details": details}
