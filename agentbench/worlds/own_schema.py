"""What a user's SQLite file holds: tables with their columns, keys and rows, read from a private copy.

Left out: views, virtual tables and those that store them, empty tables, columns with bytes, with text and numbers
mixed or with text that is not UTF-8, and tables with more rows than fit in memory comfortably. Foreign keys are those
declared, and those that names and values suggest (`customer_id` whose values all occur as keys of `customers`). Keys
of several columns link nothing.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.errors import DataError, PreflightError
from agentbench.worlds.building import Report
from agentbench.worlds.names import singular, slug
from agentbench.worlds.views import quote

MOST_ROWS = 200_000
"""Largest table that questions are made about, in rows."""
_UNREADABLE = "\ufffd"
"""Stands for bytes that are not UTF-8; a value that holds it is not the one in the database."""


class RawColumn(NamedTuple):
    """A column and the one type its values have: `TEXT`, `INTEGER` or `REAL`."""

    name: str
    type: str
    filled: int
    """Rows with a value."""
    distinct: int
    longest: int
    """Characters of the longest text; 0 for numbers."""
    one_line: bool = True
    """Whether no text has a line break."""


class ForeignKey(NamedTuple):
    """A column whose values are those of a parent table's column."""

    column: str
    parent: str
    parent_column: str


class RawTable(NamedTuple):
    """A table as it is in the file."""

    name: str
    columns: tuple[RawColumn, ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[ForeignKey, ...]
    rows: list[dict[str, Any]]

    def column(self, name: str) -> RawColumn | None:
        """The column of that name, if it is usable."""
        return next((column for column in self.columns if column.name == name), None)


def copy_database(source: Path, target: Path) -> None:
    """A copy that needs no journal beside it, made while others may use the source; nothing is written beside that.

    Raises:
        PreflightError: there is no such file.
        DataError: it is not a SQLite database, or a damaged one.
    """
    if not source.is_file():
        raise PreflightError(f"no database at {source}", "give the path of a SQLite file as database=…")
    try:
        with closing(_connect_source(source.resolve(), target)) as reading, closing(sqlite3.connect(target)) as writing:
            writing.text_factory = partial(str, encoding="utf-8", errors="replace")
            reading.backup(writing)
            writing.execute("PRAGMA journal_mode = DELETE")
            problem = writing.execute("PRAGMA quick_check(1)").fetchone()[0]
    except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter where a complaint of SQLite's quotes such bytes
        raise DataError(source, f"not a readable SQLite database: {error}") from None
    if problem != "ok":
        raise DataError(source, f"a damaged SQLite database: {' '.join(problem.split())}")


def read_tables(copy: Path, source: Path, report: Report) -> tuple[RawTable, ...]:
    """The usable tables of a copied database, by name; errors name the source.

    Raises:
        DataError: there is none.
    """
    with closing(_connect(copy)) as connection:
        # Empty before SQLite 3.37, which does not know this list.
        listed = {row[1] for row in connection.execute("PRAGMA table_list") if row[2] in ("shadow", "virtual")}
        names = [name for (name,) in connection.execute(_TABLES) if name not in listed]
        found = [table for name in names if (table := _read_table(connection, name, report)) is not None]
    if not found:
        raise DataError(source, f"no usable table: {len(names)} tables, none with rows of text or numbers")
    return tuple(_with_inferred_keys(table, found) for table in found)


_TABLES = """
SELECT name FROM sqlite_master
WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL%'
ORDER BY name
"""


def _connect_source(source: Path, target: Path) -> sqlite3.Connection:
    """Reading a database in write-ahead mode makes files beside it, unless it is immutable or another copy is read."""
    log = source.with_name(f"{source.name}-wal")
    if not log.exists():
        return _connect(source, "&immutable=1" if _logs_ahead(source) else "")
    copy = target.with_name("source.sqlite")
    shutil.copyfile(source, copy)
    shutil.copyfile(log, copy.with_name(f"{copy.name}-wal"))
    return _connect(copy)


def _logs_ahead(path: Path) -> bool:
    """Whether the header says write-ahead mode (https://www.sqlite.org/fileformat2.html, 1.3.3)."""
    with path.open("rb") as file:
        return file.read(20)[18:] == b"\2\2"


def _connect(path: Path, options: str = "") -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{options}", uri=True)
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


def _read_table(connection: sqlite3.Connection, name: str, report: Report) -> RawTable | None:
    try:
        return _usable_table(connection, name, report)
    except (sqlite3.Error, UnicodeDecodeError) as error:  # names of columns are decoded by no rule of ours
        report(f"table {name!r} is left out: {error}")
        return None


def _usable_table(connection: sqlite3.Connection, name: str, report: Report) -> RawTable | None:
    count = connection.execute(f"SELECT COUNT(*) FROM {quote(name)}").fetchone()[0]
    if not 0 < count <= MOST_ROWS:
        if count:
            report(f"table {name!r} is left out: it has {count:,} rows, questions are made up to {MOST_ROWS:,}")
        return None
    cursor = connection.execute(f"SELECT * FROM {quote(name)}")
    names = [item[0] for item in cursor.description]
    values = list(zip(*cursor.fetchall(), strict=True))
    for item, given in zip(names, values, strict=True):
        if _is_unreadable(given):
            report(f"column {item!r} of table {name!r} is left out: it has text that is not UTF-8")
    columns = tuple(column for index, item in enumerate(names) if (column := _column(item, values[index])) is not None)
    if not columns:
        return None
    kept = [column.name for column in columns]
    usable = [values[names.index(item)] for item in kept]
    rows = [dict(zip(kept, row, strict=True)) for row in zip(*usable, strict=True)]
    return RawTable(name, columns, _primary_key(connection, name), _foreign_keys(connection, name), rows)


def _column(name: str, values: tuple[Any, ...]) -> RawColumn | None:
    filled = [value for value in values if value is not None]
    types = {type(value) for value in filled}
    if types == {str} and not _is_unreadable(values):
        return RawColumn(
            name, "TEXT", len(filled), len(set(filled)), max(map(len, filled)), not any("\n" in item for item in filled)
        )
    if types and types <= {int, float}:
        return RawColumn(name, "REAL" if float in types else "INTEGER", len(filled), len(set(filled)), 0)
    return None


def _is_unreadable(values: tuple[Any, ...]) -> bool:
    return any(isinstance(value, str) and _UNREADABLE in value for value in values)


def _primary_key(connection: sqlite3.Connection, table: str) -> tuple[str, ...]:
    columns = connection.execute(f"PRAGMA table_info({quote(table)})").fetchall()
    return tuple(row[1] for row in sorted(columns, key=lambda row: row[5]) if row[5])


def _foreign_keys(connection: sqlite3.Connection, table: str) -> tuple[ForeignKey, ...]:
    listed = connection.execute(f"PRAGMA foreign_key_list({quote(table)})").fetchall()
    numbers = [row[0] for row in listed]
    found: list[ForeignKey] = []
    for number, _, parent, column, parent_column, *_ in sorted(listed):
        if numbers.count(number) > 1:
            continue
        key = (parent_column,) if parent_column else _primary_key(connection, parent)
        if len(key) == 1:
            found.append(ForeignKey(column, parent, key[0]))
    return tuple(found)


def _with_inferred_keys(table: RawTable, tables: list[RawTable]) -> RawTable:
    by_name = {other.name.casefold(): other for other in tables}
    kept: list[ForeignKey] = []
    for key in table.foreign_keys:
        parent = by_name.get(key.parent.casefold())
        if parent is not None and _links(table, key.column, parent, key.parent_column):
            kept.append(key._replace(parent=parent.name))
    declared = {key.column for key in table.foreign_keys}
    for column in table.columns:
        parent = None if column.name in declared else _suggested(table, column, tables)
        if parent is not None:
            kept.append(ForeignKey(column.name, parent.name, parent.primary_key[0]))
    return table._replace(foreign_keys=tuple(kept))


def _suggested(table: RawTable, column: RawColumn, tables: list[RawTable]) -> RawTable | None:
    name = slug(column.name)
    if not name.endswith(("_id", "id")) or table.primary_key == (column.name,):
        return None
    stem = name.removesuffix("id").rstrip("_")
    for other in tables:
        called = slug(other.name)
        if other.name != table.name and stem in (called, singular(called)) and len(other.primary_key) == 1:
            return other if _links(table, column.name, other, other.primary_key[0]) else None
    return None


def _links(table: RawTable, column: str, parent: RawTable, parent_column: str) -> bool:
    """Whether both columns are usable, the parent's values are unique, and some of the child's are among them."""
    own, other = table.column(column), parent.column(parent_column)
    if own is None or other is None or own.type != other.type or other.distinct != len(parent.rows):
        return False
    known = {row[parent_column] for row in parent.rows}
    return any(row[column] in known for row in table.rows)
