"""VAKRA's tool universes over a database: joined tables whose columns are called as the benchmark calls them.

A column is `<table's name in the universe>_<column>`, with blanks, slashes and hyphens as underscores and without
brackets; a single table under the empty alias keeps its columns' plain names. Tables and columns are looked up in the
schema, whatever their capitals, and quoted.

Joins are of the kind that is written; the public tools make every one an inner join and ignore a condition between
tables that are joined already, which counts here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from agentbench.config.suggest import did_you_mean
from agentbench.errors import DataError
from agentbench.tasks.vakra.universes import Join, Table, UniverseArguments
from agentbench.tools.sql.spec import Column, Universe
from agentbench.worlds.views import quote

SAMPLED_ROWS = 500
"""Rows of a table that are looked at to tell a column's type."""
_SQL_JOINS = {"INNER": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "OUTER": "FULL JOIN"}
_FLIPPED = {"LEFT": "RIGHT", "RIGHT": "LEFT"}


class Schema:
    """Tables and columns of a database; each table is looked at once. A context manager: it holds the file open."""

    def __init__(self, path: Path) -> None:
        """Opens the file read-only.

        Raises:
            DataError: it is not a SQLite database, or a damaged one.
        """
        self.path = path
        self._connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)
        self._connection.text_factory = partial(str, encoding="utf-8", errors="replace")
        listed = self._rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
        self._tables = {str(name).lower(): str(name) for (name,) in listed}
        self._columns: dict[str, dict[str, str]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def table(self, name: str) -> str:
        """A table's own spelling.

        Raises:
            KeyError: there is no such table; the message says so.
        """
        if name.lower() not in self._tables:
            raise KeyError(f"no table {name!r} in {self.path.name}{did_you_mean(name, self._tables.values())}")
        return self._tables[name.lower()]

    def columns(self, table: str) -> dict[str, str]:
        """A table's columns in order, with the type most fitting to their values: `TEXT`, `INTEGER` or `REAL`."""
        if table not in self._columns:
            listed = self._rows("SELECT name, type FROM pragma_table_info(?)", (table,))
            declared = {str(name): _declared(str(kind)) for name, kind in listed}
            self._columns[table] = self._sampled(table, declared)
        return self._columns[table]

    def column(self, table: str, name: str) -> str:
        """A column's own spelling.

        Raises:
            KeyError: the table has no such column; the message says so.
        """
        columns = self.columns(table)
        found = next((column for column in columns if column.lower() == name.lower()), None)
        if found is None:
            raise KeyError(f"no column {name!r} in the table {table!r}{did_you_mean(name, columns)}")
        return found

    def _sampled(self, table: str, declared: Mapping[str, str]) -> dict[str, str]:
        types = ", ".join(f"typeof({quote(column)})" for column in declared)
        rows = self._rows(f"SELECT {types} FROM {quote(table)} LIMIT {SAMPLED_ROWS}") if types else []
        seen = [{str(row[index]) for row in rows} for index in range(len(declared))]
        return {name: _kind(kinds, kind) for (name, kind), kinds in zip(declared.items(), seen, strict=True)}

    def _rows(self, sql: str, parameters: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except sqlite3.Error as error:
            raise DataError(self.path, f"not a readable SQLite database: {error}") from error


def universe(arguments: UniverseArguments, schema: Schema, descriptions: Mapping[str, str]) -> Universe:
    """The universe over the schema; `descriptions` say of columns, by name, what they hold.

    Raises:
        DataError: it names a table or column that the database lacks, or leaves a table unjoined.
    """
    try:
        spelled = {table.alias: schema.table(table.name) for table in arguments.tables}
        used = arguments.tables if arguments.joins else arguments.tables[-1:]
        source = _source(used, arguments.joins, spelled, schema)
        columns = tuple(_columns(used, spelled, schema, descriptions))
    except KeyError as error:
        raise DataError(arguments.file, f"tool universe {arguments.id!r}: {error.args[0]}") from None
    names = " joined with ".join(dict.fromkeys(spelled[table.alias] for table in used))
    return Universe(arguments.id, f"{names}, {len(columns)} columns", source, columns)


def safe_name(column: str) -> str:
    """A column's name as it stands in a universe."""
    return column.strip().translate(_SAFE)


_SAFE = str.maketrans({" ": "_", "/": "_", "-": "_", "(": None, ")": None})


class _Step(NamedTuple):
    """One more table in the FROM clause and the conditions it comes with."""

    alias: str
    kind: str
    conditions: list[str]


def _source(used: Sequence[Table], joins: Sequence[Join], spelled: Mapping[str, str], schema: Schema) -> str:
    first = used[0].alias
    steps: list[_Step] = []
    for join in joins:
        kind, new, known = _placed(join, {first, *(step.alias for step in steps)})
        left, right = (_side(side, spelled, schema) for side in (join.left, join.right))
        if new is None:
            if not known:
                raise KeyError(f"the join of {join.left[0]!r} and {join.right[0]!r} touches no table joined before")
            if steps:
                steps[-1].conditions.append(f"{left} = {right}")
        else:
            steps.append(_Step(new, kind, [f"{left} = {right}"]))
    unjoined = {table.alias for table in used} - {first, *(step.alias for step in steps)}
    if unjoined:
        raise KeyError(f"nothing joins the alias {sorted(unjoined)[0]!r}")
    parts = [_aliased(first, spelled)]
    parts += [
        f"{_SQL_JOINS[step.kind]} {_aliased(step.alias, spelled)} ON {' AND '.join(step.conditions)}" for step in steps
    ]
    return " ".join(parts)


def _placed(join: Join, joined: set[str]) -> tuple[str, str | None, bool]:
    """The kind of join as seen from the tables joined so far, the alias it adds, and whether it touches them."""
    left, right = join.left[0], join.right[0]
    if left in joined and right not in joined:
        return join.kind, right, True
    if right in joined and left not in joined:
        return _FLIPPED.get(join.kind, join.kind), left, True
    return join.kind, None, left in joined and right in joined


def _side(side: tuple[str, str], spelled: Mapping[str, str], schema: Schema) -> str:
    alias, column = side
    return f"{quote(_alias(alias))}.{quote(schema.column(spelled[alias], column))}"


def _aliased(alias: str, spelled: Mapping[str, str]) -> str:
    return f"{quote(spelled[alias])} AS {quote(_alias(alias))}"


def _alias(alias: str) -> str:
    return alias or "T"


def _columns(
    used: Sequence[Table], spelled: Mapping[str, str], schema: Schema, descriptions: Mapping[str, str]
) -> Iterator[Column]:
    names: set[str] = set()
    for table in used:
        for column, kind in schema.columns(spelled[table.alias]).items():
            name = f"{table.prefix}_{safe_name(column)}" if table.alias else safe_name(column)
            if name.lower() not in names:
                names.add(name.lower())
                said = descriptions.get(name) or f"{column} of {spelled[table.alias]}"
                yield Column(name, kind, said, f"{quote(_alias(table.alias))}.{quote(column)}")


def _declared(kind: str) -> str:
    """By the rules of https://www.sqlite.org/datatype3.html section 3.1, NUMERIC counted as REAL."""
    kind = kind.upper()
    if "INT" in kind:
        return "INTEGER"
    if not kind or any(word in kind for word in ("CHAR", "CLOB", "TEXT", "BLOB", "DATE", "TIME")):
        return "TEXT"
    return "REAL"


def _kind(seen: set[str], declared: str) -> str:
    if "text" in seen or "blob" in seen:
        return "TEXT"
    if "real" in seen:
        return "REAL"
    return "INTEGER" if "integer" in seen and declared != "REAL" else declared
