"""A domain's tables written as a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from agentbench.worlds.domain import Domain, Role, Table
from agentbench.worlds.views import quote


def write_database(path: Path, domain: Domain, rows: dict[str, list[dict[str, Any]]]) -> None:
    """A new read-only SQLite file with primary keys on the names, foreign keys on the links, indexes on the rest."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA page_size = 4096")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("BEGIN")
        for table in domain.tables:
            connection.execute(_create(table, domain))
            names = [field.name for field in table.fields]
            marks = ", ".join("?" for _ in names)
            values = ([row[name] for name in names] for row in rows[table.name])
            connection.executemany(f"INSERT INTO {quote(table.name)} VALUES ({marks})", values)
            for statement in _indexes(table):
                connection.execute(statement)
        connection.execute("COMMIT")
        connection.execute("ANALYZE")
        connection.execute("VACUUM")
    path.chmod(0o444)


def _create(table: Table, domain: Domain) -> str:
    lines = [f"{quote(field.name)} {field.type}{_constraint(field.role)}" for field in table.fields]
    for link in table.links:
        parent = domain.table(link.table)
        lines.append(f"FOREIGN KEY ({quote(link.field)}) REFERENCES {quote(parent.name)} ({quote(parent.key)})")
    return f"CREATE TABLE {quote(table.name)} ({', '.join(lines)})"


def _constraint(role: Role) -> str:
    return " PRIMARY KEY NOT NULL" if role is Role.NAME else ""


def _indexes(table: Table) -> Iterator[str]:
    for field in table.fields:
        if field.role is not Role.NAME:
            name = quote(f"{table.name}_by_{field.name}")
            yield f"CREATE INDEX {name} ON {quote(table.name)} ({quote(field.name)})"
