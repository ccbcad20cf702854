"""The tables of one episode as the public benchmark keeps and shows them.

Handles are called after what was done, what the first column begins with, and how often it was done:
`filtered_hero_1`. Every table is shown as a peek of three values per column, however short it is, in the JSON of
Python's standard library; figures and lists are shown bare. Missing numbers of a peek are `null`, where the released
tools write NaN, which is no JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from itertools import islice
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.spec import Universe
from agentbench.tools.sql.vakra.tables import Table, missing, universe_table
from agentbench.tools.sql.values import shown
from agentbench.types import Observation

PEEK_ROWS = 3


class Session:
    """The handle table of one episode; opening another universe empties it."""

    __slots__ = ("_counts", "_database", "_open", "_tables", "_universes")

    def __init__(self, database: Database, universes: tuple[Universe, ...]) -> None:
        self._database = database
        self._universes = {universe.id: universe for universe in universes}
        self._open = next(iter(self._universes), "")
        self._tables: dict[str, Table] = {}
        self._counts: Counter[str] = Counter()

    def copy(self) -> Session:
        """The same tables, open universe and counts, which change apart from now on."""
        twin = Session(self._database, tuple(self._universes.values()))
        twin._open, twin._tables, twin._counts = self._open, dict(self._tables), Counter(self._counts)
        return twin

    def opened(self, universe: str | None) -> Observation:
        """The peek of a universe's rows; without a name that of the one that is open, at first the first.

        Raises:
            ToolError: there is no such universe, or it is too large.
        """
        name = self._open if universe is None else universe
        if name not in self._universes:
            known = ", ".join(list(self._universes)[:10])
            raise ToolError(f"there is no universe {name[:100]!r}. The first of those there are: {known}")
        table = universe_table(self._database, self._universes[name])
        if name != self._open:
            self._open = name
            self._tables.clear()
            self._counts.clear()
        return self.kept("initial", table)

    def table(self, handle: str) -> Table:
        """The table behind a handle.

        Raises:
            ToolError: there is no such handle, or not any more.
        """
        if handle not in self._tables:
            raise ToolError(f"Input validation error: {handle[:100]!r} is no handle of a table")
        return self._tables[handle]

    def column(self, handle: str, *keys: str) -> Table:
        """The table behind a handle, which has these columns.

        Raises:
            ToolError: there is no such handle, or the table has no such column.
        """
        table = self.table(handle)
        unknown = [key[:100] for key in keys if key not in table.columns]
        if unknown:
            raise ToolError(f"invalid key_name {unknown}; keys of this table ({self._open!r}): {list(table.columns)}")
        return table

    def kept(self, verb: str, table: Table) -> Observation:
        """Makes a handle for the table and gives its peek."""
        self._counts[verb] += 1
        first = next(iter(table.columns), "")
        handle = f"{verb}_{first.split('_')[0] if '_' in first else 'data'}_{self._counts[verb]}"
        self._tables[handle] = table
        details = [_detail(name, table) for name in table.columns]
        return text_of({"handle": handle, "num_records": len(table.rows), "key_details": details})


def _detail(name: str, table: Table) -> dict[str, Any]:
    column = table.columns[name]
    values = [column.values[row] for row in islice(table.rows, PEEK_ROWS)]
    kind = column.dtype if table.typed else type(values[0]).__name__ if values else "unknown"
    return {
        "name": name,
        "dtype": kind,
        "first_3_values": [None if missing(value) else shown(value) for value in values],
    }


def text_of(value: Any) -> Observation:
    """A table's peek or a list as JSON, a figure as Python writes it.

    Raises:
        ToolError: it holds something that cannot be written, such as half of a surrogate pair.
    """
    try:
        text = json.dumps(value) if isinstance(value, dict | list) else str(value)
        text.encode()
    except ValueError as error:
        raise ToolError(f"the result cannot be written: {str(error)[:200]}") from error
    return Observation(text)
