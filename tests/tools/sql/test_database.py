from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from pathlib import Path

import pytest

from agentbench.errors import DataError, PreflightError, ToolError
from agentbench.tools.sql.database import INLINE_BYTES, MAX_ROWS, Database

ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t"


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO films (id) VALUES (9)",
        "UPDATE films SET title = ''",
        "DELETE FROM films",
        "DROP TABLE films",
        "CREATE TABLE t (x)",
        "CREATE TEMP TABLE t (x)",
        "ATTACH ':memory:' AS other",
        "DETACH main",
        "PRAGMA query_only",
        "SELECT * FROM pragma_table_info('films')",
        "BEGIN",
        "SAVEPOINT s",
        "VACUUM INTO '/tmp/copy.sqlite'",
        "REINDEX",
        "ANALYZE",
        "SELECT load_extension('evil')",
        "SELECT randomblob(10)",
        "SELECT 1; DROP TABLE films",
        "EXPLAIN DELETE FROM films",
    ],
)
def test_everything_but_a_plain_select_is_refused(database: Database, statement: str) -> None:
    with pytest.raises(ToolError, match="refused"):
        database.rows(statement)


def test_refused_statements_leave_the_file_as_it_was(films_path: Path, database: Database) -> None:
    before = films_path.read_bytes()
    with pytest.raises(ToolError):
        database.rows("DELETE FROM films")
    assert films_path.read_bytes() == before
    assert database.rows("SELECT count(*) FROM films") == [(5,)]


def test_joins_and_recursive_queries_are_allowed(database: Database) -> None:
    assert database.rows("SELECT count(*) FROM films JOIN studios ON studio_id = studios.id") == [(5,)]
    counting = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT n FROM t"
    assert database.rows(counting) == [(1,), (2,), (3,)]


def test_a_statement_that_takes_too_long_is_stopped_and_the_next_one_runs(films_path: Path) -> None:
    database = Database(films_path, 0.05)
    with pytest.raises(ToolError, match=r"took longer than 0\.05 s"):
        database.rows(ENDLESS)
    assert database.rows("SELECT 1") == [(1,)]
    database.close()


def test_more_rows_than_the_cap_are_refused_and_the_cap_itself_is_not(database: Database) -> None:
    counting = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < ?) SELECT n FROM t"
    assert len(database.rows(counting, (MAX_ROWS,))) == MAX_ROWS
    with pytest.raises(ToolError, match="more than 10,000 rows"):
        database.rows(counting, (MAX_ROWS + 1,))


@pytest.mark.parametrize("value", ["'; DROP TABLE films; --", '" OR 1=1 --', "Amélie\x00", "%", "𝕏"])
def test_bound_text_is_only_ever_a_value(database: Database, value: str) -> None:
    assert database.rows("SELECT ? AS given, count(*) FROM films WHERE title = ?", (value, value)) == [(value, 0)]


@pytest.mark.parametrize("value", ["\ud800", 2**63, [1], {"a": 1}])
def test_a_value_sqlite_has_no_type_for_is_a_tool_error(database: Database, value: object) -> None:
    with pytest.raises(ToolError, match="refused"):
        database.rows("SELECT ?", (value,))


def test_text_that_is_not_utf_8_is_read_with_marks_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "latin.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT CAST(x'4ae974' AS TEXT) AS word")
    connection.close()
    assert Database(path, 1.0).rows("SELECT word FROM t") == [("J\ufffdt",)]


def test_a_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"no database at .*gone\.sqlite") as caught:
        Database(tmp_path / "gone.sqlite", 1.0)
    assert caught.value.next_step == "python -m agentbench.prepare"


@pytest.mark.parametrize("content", [b"", b"hello, I am text " * 20, b"SQLite format 3\x00"])
def test_a_file_that_is_no_database_is_a_data_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"notes\.sqlite: not a SQLite database"):
        Database(path, 1.0)


def test_a_database_cut_short_is_a_data_error(tmp_path: Path, films_path: Path) -> None:
    path = tmp_path / "short.sqlite"
    path.write_bytes(films_path.read_bytes()[:-100])
    with pytest.raises(
        DataError, match=r"short\.sqlite: damaged: its header promises 16,384 bytes, the file has 16,284"
    ):
        Database(path, 1.0)


def test_a_database_whose_schema_is_overwritten_is_a_data_error(tmp_path: Path, films_path: Path) -> None:
    content = bytearray(films_path.read_bytes())
    content[100:400] = b"\xff" * 300
    path = tmp_path / "overwritten.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as a SQLite database"):
        Database(path, 1.0)


def test_a_page_damaged_in_the_middle_is_the_files_fault_not_the_agents(tmp_path: Path, films_path: Path) -> None:
    content = bytearray(films_path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path = tmp_path / "damaged.sqlite"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"damaged\.sqlite: damaged database: .*malformed"):
        Database(path, 1.0).rows("SELECT * FROM studios")


def test_a_path_with_the_marks_of_a_uri_opens(tmp_path: Path, films_path: Path) -> None:
    path = tmp_path / "what? 100% #1 é.sqlite"
    path.write_bytes(films_path.read_bytes())
    assert Database(path, 1.0).rows("SELECT count(*) FROM films") == [(5,)]


def test_large_files_are_queried_off_the_event_loops_thread(tmp_path: Path, films_path: Path) -> None:
    path = tmp_path / "large.sqlite"
    path.write_bytes(films_path.read_bytes())
    os.truncate(path, INLINE_BYTES + 1)  # a hole: it takes no room on the disk
    before = threading.active_count()
    database = Database(path, 1.0)
    assert asyncio.run(database.query("SELECT count(*) FROM films")) == [(5,)]
    assert threading.active_count() == before + 1
    database.close()
    assert threading.active_count() == before


def test_small_files_start_no_thread(database: Database) -> None:
    before = threading.active_count()
    assert asyncio.run(database.query("SELECT count(*) FROM films")) == [(5,)]
    assert threading.active_count() == before


def test_counts_are_remembered_by_statement_and_values(database: Database) -> None:
    sql = "SELECT count(*) FROM films WHERE year > ?"
    assert [asyncio.run(database.count(sql, (year,))) for year in (2000, 2000, 2015)] == [3, 3, 1]
