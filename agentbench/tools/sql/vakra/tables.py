"""Tables in memory: columns shared by all tables derived from them, and which of their rows a table has, in order."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from agentbench.tools.sql.database import Database, Rows
from agentbench.tools.sql.spec import Universe

MAX_CELLS = 20_000_000
"""Most values one universe may hold, columns times rows; some 8 bytes each, and the texts."""
MAX_KEPT_CELLS = 40_000_000
"""Most values kept of one database; the universe opened longest ago goes first."""
READ_TIMEOUT_S = 60.0
"""Longest time the reading of a universe may take, in seconds."""

INT64, FLOAT64, OBJECT = "int64", "float64", "object"


class Column(NamedTuple):
    """Values and what kind they are: whole numbers, numbers with NaN for missing ones, or anything with `None`."""

    dtype: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Table:
    """Some rows of some columns."""

    columns: Mapping[str, Column]
    rows: Sequence[int]
    typed: bool = True
    """Whether a peek names its columns' kinds; otherwise it names the type of each first value."""

    def values(self, name: str) -> list[Any]:
        """A column's values in the order of the rows."""
        values = self.columns[name].values
        return [values[row] for row in self.rows]

    def kept(self, positions: Iterable[int]) -> Table:
        """The rows at these positions, in their order."""
        columns = {name: _settled(column) for name, column in self.columns.items()}
        return Table(columns, array("I", (self.rows[position] for position in positions)))

    def transformed(self, name: str, values: list[Any]) -> Table:
        """The same rows with other values in one column, given in the order of the rows."""
        whole: list[Any] = [None] * len(self.columns[name].values)
        for row, value in zip(self.rows, values, strict=True):
            whole[row] = value
        return Table({**self.columns, name: Column(column_of(values).dtype, whole)}, self.rows, typed=False)


def table_of(columns: Mapping[str, list[Any]]) -> Table:
    """A table of columns of its own, all of the length of the first."""
    rows = range(len(next(iter(columns.values()), ())))
    return Table({name: column_of(values) for name, values in columns.items()}, rows)


def untyped_table(columns: Mapping[str, list[Any]]) -> Table:
    """The same, but values stay as they are given until another table is made of it: `None` among numbers, too."""
    made = table_of(columns)
    given = {name: Column(column.dtype, columns[name]) for name, column in made.columns.items()}
    return Table(given, made.rows, typed=False)


def column_of(values: Sequence[Any]) -> Column:
    """The values as a column: numbers with missing ones among them become floats, and the missing ones NaN."""
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return Column(INT64, array("q", values) if _fit(values) else list(values))
    if kinds & {int, float} and kinds <= {int, float, type(None)}:
        return Column(FLOAT64, array("d", (math.nan if value is None else value for value in values)))
    same: dict[str, str] = {}
    return Column(OBJECT, [same.setdefault(value, value) if type(value) is str else value for value in values])


def _settled(column: Column) -> Column:
    """Numbers given with `None` among them as numbers with NaN."""
    return column_of(column.values) if column.dtype == FLOAT64 and isinstance(column.values, list) else column


def _fit(values: Sequence[int]) -> bool:
    return min(values) >= -(2**63) and max(values) < 2**63


def missing(value: Any) -> bool:
    """Whether a value is no value: `None` or NaN."""
    return value is None or value != value


class _Kept(NamedTuple):
    table: Table
    cells: int


_KEPT: WeakKeyDictionary[Database, dict[str, _Kept]] = WeakKeyDictionary()


def universe_table(database: Database, universe: Universe) -> Table:
    """All rows of a universe, read once for all episodes that share the database.

    Raises:
        ToolError: the universe holds more than `MAX_CELLS` values, or its statement is refused or too slow.
    """
    kept = _KEPT.setdefault(database, {})
    found = kept.pop(universe.id, None)
    if found is None:
        rows = _read(database, universe)
        columns = {column.name: column_of([row[i] for row in rows]) for i, column in enumerate(universe.columns)}
        found = _Kept(Table(columns, range(len(rows))), len(rows) * len(columns))
    kept[universe.id] = found
    while sum(item.cells for item in kept.values()) > MAX_KEPT_CELLS and len(kept) > 1:
        del kept[next(iter(kept))]
    return found.table


def _read(database: Database, universe: Universe) -> Rows:
    selected = ", ".join(f"{column.expression} AS column_{i}" for i, column in enumerate(universe.columns))
    limit = MAX_CELLS // max(1, len(universe.columns))
    return database.rows(f"SELECT {selected} FROM {universe.source}", max_rows=limit, timeout_s=READ_TIMEOUT_S)
