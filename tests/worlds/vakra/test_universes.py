"""Tool universes over a real database: joins, names and types of columns."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentbench.errors import DataError
from agentbench.tasks.vakra.universes import read_universe
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.spec import Universe
from agentbench.worlds.vakra_universes import Schema, universe

PORT = """
CREATE TABLE ship (id INTEGER, "Home Port (code)" TEXT, tonnes NUMERIC, built DATE, crew TEXT);
CREATE TABLE "port" (code TEXT, name TEXT, boss INTEGER);
INSERT INTO ship VALUES (1, 'A', 12.5, '1999-01-01', 4), (2, 'B', 9, '2001-01-01', 5), (3, NULL, 1, NULL, 6);
INSERT INTO port VALUES ('A', 'Alta', 1), ('B', 'Brea', 1);
"""
BOTH = {"T1": {"original_table_name": "Ship"}, "T2": {"original_table_name": "port", "modified_table_name": "harbour"}}
ON_CODE = ["T1.home port (CODE)", "T2.code", "INNER"]


@pytest.fixture
def schema(tmp_path: Path) -> Iterator[Schema]:
    path = tmp_path / "port.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(PORT)
    with Schema(path) as opened:
        yield opened


def made(schema: Schema, tables: dict[str, Any], *joins: list[str], **descriptions: str) -> Universe:
    arguments = {"alias_to_table_dict": tables, "condition_sequence": list(joins)}
    return universe(read_universe("u-1", {"init_args": arguments}, "map.json"), schema, descriptions)


def rows(schema: Schema, found: Universe, *names: str) -> list[tuple[Any, ...]]:
    expressions = ", ".join(column.expression for column in found.columns if column.name in names)
    with closing(Database(schema.path, 1.0)) as database:
        return database.rows(f"SELECT {expressions} FROM {found.source} ORDER BY 1")


def test_columns_are_prefixed_and_made_safe_and_typed_by_their_values(schema: Schema) -> None:
    found = made(schema, BOTH, ON_CODE)
    assert [(column.name, column.type) for column in found.columns] == [
        ("Ship_id", "INTEGER"), ("Ship_Home_Port_code", "TEXT"), ("Ship_tonnes", "REAL"), ("Ship_built", "TEXT"),
        ("Ship_crew", "TEXT"), ("harbour_code", "TEXT"), ("harbour_name", "TEXT"), ("harbour_boss", "INTEGER"),
    ]  # fmt: skip


def test_a_single_table_under_the_empty_alias_keeps_its_names(schema: Schema) -> None:
    found = made(schema, {"": {"original_table_name": "port"}}, name="what it is called")
    assert [column.name for column in found.columns] == ["code", "name", "boss"]
    assert found.columns[1].description == "what it is called"


JOINS = {
    "inner": ([ON_CODE], [("A", "Alta"), ("B", "Brea")]),
    "left keeps ships without a port": ([[*ON_CODE[:2], "LEFT"]], [(None, None), ("A", "Alta"), ("B", "Brea")]),
    "sides the other way round": ([["T2.code", "T1.Home Port (code)", "INNER"]], [("A", "Alta"), ("B", "Brea")]),
    "left seen from the other side": (
        [["T2.code", "T1.Home Port (code)", "RIGHT"]],
        [(None, None), ("A", "Alta"), ("B", "Brea")],
    ),
    "a second condition counts": ([ON_CODE, ["T1.id", "T2.boss", "INNER"]], [("A", "Alta")]),
}


@pytest.mark.parametrize(("joins", "expected"), JOINS.values(), ids=JOINS)
def test_tables_are_joined(schema: Schema, joins: list[list[str]], expected: list[tuple[Any, ...]]) -> None:
    assert rows(schema, made(schema, BOTH, *joins), "Ship_Home_Port_code", "harbour_name") == expected


def test_a_table_twice_is_two_tables(schema: Schema) -> None:
    twice = {
        "T1": {"original_table_name": "ship"},
        "T2": {"original_table_name": "ship", "modified_table_name": "other"},
    }
    assert rows(schema, made(schema, twice, ["T1.id", "T2.id", "INNER"]), "ship_id", "other_id") == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]


HOSTILE = 'port" JOIN secrets --'
WRONG = {
    "an unknown table": (
        {"T1": {"original_table_name": "prot"}},
        [],
        "no table 'prot' in port.sqlite, did you mean 'port'?",
    ),
    "SQL for a table": ({"T1": {"original_table_name": HOSTILE}}, [], f"no table {HOSTILE!r}"),
    "an unknown column": (BOTH, [["T1.id", "T2.x", "INNER"]], "no column 'x' in the table 'port'"),
    "a table that nothing joins": (
        {**BOTH, "T3": {"original_table_name": "port"}},
        [ON_CODE],
        "nothing joins the alias 'T3'",
    ),
}


@pytest.mark.parametrize(("tables", "joins", "complaint"), WRONG.values(), ids=WRONG)
def test_what_the_database_lacks_is_named(
    schema: Schema, tables: dict[str, Any], joins: list[list[str]], complaint: str
) -> None:
    with pytest.raises(DataError) as error:
        made(schema, tables, *joins)
    assert str(error.value).startswith(f"map.json: tool universe 'u-1': {complaint}")


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "port.sqlite").write_text("hello" * 100)
    with pytest.raises(DataError, match=r"port\.sqlite: not a readable SQLite database"):
        Schema(tmp_path / "port.sqlite")
