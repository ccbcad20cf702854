"""A user's own database and documents become a world, whatever the schema looks like."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from agentbench.config.env import Granularity, Scenario
from agentbench.config.source import SqliteSource, TaskCounts
from agentbench.config.tasks import Split
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.files import read_tasks
from agentbench.types import Task
from agentbench.worlds.manifest import World
from agentbench.worlds.own_data import prepare_sqlite
from agentbench.worlds.replay import Replay

COUNTS = TaskCounts(train=120, validation=0, test=30)


def silent(_: str) -> None:
    return None


def database(path: Path, script: str) -> Path:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(script)
    return path


def prepare(database: Path, folder: Path, documents: Path | None = None, name: str = "") -> World:
    return prepare_sqlite(
        SqliteSource(database=database, documents=documents, name=name, tasks=COUNTS), 0, folder, silent
    )


def tasks(world: World, granularity: Granularity = Granularity.REST) -> tuple[Task, ...]:
    return read_tasks(world.tasks(granularity.value, Split.TRAIN.value))


@pytest.fixture(scope="module")
def shop_world(shop: Path, shop_documents: Path, tmp_path_factory: pytest.TempPathFactory) -> World:
    return prepare(shop, tmp_path_factory.mktemp("own") / "world", shop_documents)


def test_every_scenario_is_generated_from_own_tables_and_documents(shop_world: World):
    assert {task.data["scenario"] for task in tasks(shop_world)} == set(Scenario) - {Scenario.ANY}
    assert len(tasks(shop_world)) == 120


def test_own_gold_holds_at_every_granularity(shop_world: World):
    async def check_all(replay: Replay) -> None:
        for granularity in Granularity:
            for task in tasks(shop_world, granularity):
                await replay.check(task, granularity)

    with Replay(shop_world) as replay:
        asyncio.run(check_all(replay))


def test_odd_names_become_plain_tool_names(shop_world: World):
    names = {endpoint.name for endpoint in shop_world.manifest.endpoints}
    assert {"get_product_price", "get_maker_city", "get_product_grosse", "get_order_select"} <= names
    assert {"list_products_by_maker", "count_makers_by_city"} <= names


def test_a_key_that_only_its_name_and_values_suggest_links_tables(shop_world: World):
    endpoint = next(item for item in shop_world.manifest.endpoints if item.name == "list_products_by_maker")
    assert endpoint.sql == (
        'SELECT "products"."name" FROM "products" JOIN "Makers" AS "Makers" ON "products"."maker_id" = '
        '"Makers"."MakerID" WHERE "Makers"."Maker Name" = :maker ORDER BY "products"."name"'
    )


def test_bytes_views_and_empty_tables_are_left_out(shop_world: World):
    columns = {universe.id: [column.name for column in universe.columns] for universe in shop_world.manifest.universes}
    assert columns["makers"] == ["maker_id", "maker_name", "city", "founded"]
    assert not {"cheap", "nothing"} & columns.keys()


def test_at_most_sixty_endpoints_are_proposed(tmp_path: Path):
    columns = ", ".join(f"c{n} TEXT, n{n} REAL" for n in range(20))
    path = database(tmp_path / "wide.db", "".join(f"CREATE TABLE t{t} (name TEXT, {columns});" for t in range(8)))
    with closing(sqlite3.connect(path)) as connection:
        for table in range(8):
            values = [
                (f"row {n}", *[item for c in range(20) for item in (f"v{(n + c) % 9}", n * 1.5 + c)]) for n in range(60)
            ]
            connection.executemany(f"INSERT INTO t{table} VALUES ({', '.join('?' * 41)})", values)
        connection.commit()
    assert len(prepare(path, tmp_path / "world").manifest.endpoints) == 60


def test_without_documents_there_is_no_collection_and_only_api_tasks(shop: Path, tmp_path: Path):
    world = prepare(shop, tmp_path / "world")
    assert world.manifest.collection is None
    assert {task.data["scenario"] for task in tasks(world)} == {"api"}


def test_two_links_to_one_table_and_a_link_to_itself_are_told_apart(tmp_path: Path):
    path = database(tmp_path / "league.db", """
        CREATE TABLE teams (id INTEGER PRIMARY KEY, name TEXT, parent_id INTEGER REFERENCES teams);
        CREATE TABLE games (id INTEGER PRIMARY KEY, home_id INTEGER REFERENCES teams, away_id INTEGER REFERENCES teams);
        INSERT INTO teams VALUES (1, 'Reds', NULL), (2, 'Blues', 1), (3, 'Greens', 1);
        INSERT INTO games VALUES (1, 1, 2), (2, 2, 3), (3, 3, 1);
    """)  # fmt: skip
    names = {endpoint.name for endpoint in prepare(path, tmp_path / "world").manifest.endpoints}
    assert {"get_game_home", "get_game_away", "get_team_parent", "list_teams_by_parent"} <= names


def test_a_database_in_write_ahead_mode_is_read_while_it_is_open_elsewhere(shop: Path, tmp_path: Path):
    own = shutil.copy(shop, tmp_path)
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("INSERT INTO Makers VALUES (99, 'Late Works', 'Oslo', 1999, NULL)")
        connection.commit()
        world = prepare(Path(own), tmp_path / "world")
    with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as copy:
        assert copy.execute("SELECT COUNT(*) FROM Makers WHERE \"Maker Name\" = 'Late Works'").fetchone() == (1,)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_the_same_data_is_not_prepared_again_and_other_data_do_not_overwrite_it(shop: Path, tmp_path: Path):
    first = prepare(shop, tmp_path / "world")
    written = (first.folder / "world.json").stat().st_mtime_ns
    assert (prepare(shop, tmp_path / "world").folder / "world.json").stat().st_mtime_ns == written
    with pytest.raises(PreflightError, match="holds another world"):
        prepare(shop, tmp_path / "world", name="other")


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)


def truncated(path: Path) -> None:
    database(path, "CREATE TABLE t (x TEXT);" + "INSERT INTO t VALUES (hex(randomblob(500)));" * 50)
    path.write_bytes(path.read_bytes()[:9000])


def hollow(path: Path) -> None:
    database(path, "CREATE TABLE t (x TEXT); CREATE VIEW v AS SELECT * FROM t;")


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (garbage, "not a readable SQLite database"),
        (truncated, "SQLite database"),
        (hollow, "no usable table: 1 tables"),
    ],
)
def test_a_file_that_is_no_usable_database_is_named_in_one_line(
    tmp_path: Path, make: Callable[[Path], None], problem: str
):
    make(tmp_path / "data.db")
    with pytest.raises(DataError, match=problem) as raised:
        prepare(tmp_path / "data.db", tmp_path / "world")
    assert "data.db" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_database_is_named(tmp_path: Path):
    with pytest.raises(PreflightError, match=r"no database at .*none\.db"):
        prepare(tmp_path / "none.db", tmp_path / "world")


@pytest.mark.parametrize(("name", "problem"), [("films", "taken by an embedded domain"), ("my shop", "cannot be used")])
def test_a_name_that_cannot_be_used_is_refused(shop: Path, tmp_path: Path, name: str, problem: str):
    with pytest.raises(PreflightError, match=problem):
        prepare(shop, tmp_path / "world", name=name)


def test_an_output_folder_with_other_files_is_not_touched(shop: Path, tmp_path: Path):
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "thesis.txt").write_text("mine")
    with pytest.raises(PreflightError, match="not empty and holds no world"):
        prepare(shop, tmp_path / "world")
    assert [path.name for path in (tmp_path / "world").iterdir()] == ["thesis.txt"]


def test_a_column_with_text_that_is_not_utf8_is_left_out_and_reported(shop: Path, tmp_path: Path):
    own, said = Path(shutil.copy(shop, tmp_path)), list[str]()
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("UPDATE Makers SET city = CAST(x'4dfc6e63' || city AS TEXT)")
        connection.commit()
    world = prepare_sqlite(SqliteSource(database=own, tasks=COUNTS), 0, tmp_path / "world", said.append)
    columns = {universe.id: [column.name for column in universe.columns] for universe in world.manifest.universes}
    assert columns["makers"] == ["maker_id", "maker_name", "founded"]
    assert "column 'city' of table 'Makers' is left out: it has text that is not UTF-8" in said


def test_a_database_that_gives_no_question_with_an_answer_is_refused(tmp_path: Path):
    with closing(sqlite3.connect(tmp_path / "app.db")) as connection:
        connection.create_collation("mine", lambda one, other: (one > other) - (one < other))
        connection.execute("CREATE TABLE cars (name TEXT COLLATE mine, town TEXT COLLATE mine)")
        connection.executemany("INSERT INTO cars VALUES (?, ?)", [(f"Car {n}", f"Town {n % 5}") for n in range(40)])
        connection.commit()
    source = SqliteSource(database=tmp_path / "app.db", tasks=TaskCounts(train=10, validation=0, test=0))
    with pytest.raises(DataError, match=r"app\.db: no question with an answer could be made from it"):
        prepare_sqlite(source, 0, tmp_path / "world", silent)
    assert not (tmp_path / "world").exists()


def test_columns_with_an_applications_own_collation_or_function_do_not_stop_the_others(tmp_path: Path):
    path = tmp_path / "app.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.create_collation("mine", lambda one, other: (one > other) - (one < other))
        connection.create_function("myf", 1, str, deterministic=True)
        connection.executescript(
            "CREATE TABLE cars (name TEXT, owner TEXT COLLATE mine, town TEXT); CREATE INDEX i ON cars (myf(owner));"
        )
        rows = [(f"Car {n}", f"Owner {n % 9}", f"Town {n % 9}") for n in range(60)]
        connection.executemany("INSERT INTO cars VALUES (?, ?, ?)", rows)
        connection.commit()
    assert tasks(prepare(path, tmp_path / "world"))


def test_nothing_is_written_beside_a_database_in_write_ahead_mode(shop: Path, tmp_path: Path):
    (tmp_path / "mine").mkdir()
    own = Path(shutil.copy(shop, tmp_path / "mine"))
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    prepare(own, tmp_path / "world")
    assert list((tmp_path / "mine").iterdir()) == [own]


def test_a_log_that_a_crashed_writer_left_is_read_and_stays_as_it_is(shop: Path, tmp_path: Path):
    own, crashed = Path(shutil.copy(shop, tmp_path)), tmp_path / "crashed"
    crashed.mkdir()
    with closing(sqlite3.connect(own)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; DELETE FROM stock WHERE a = 3;")
        copies = [Path(shutil.copy(tmp_path / name, crashed)) for name in (own.name, f"{own.name}-wal")]
    before = [path.read_bytes() for path in copies]
    world = prepare(copies[0], tmp_path / "world")
    assert [path.read_bytes() for path in copies] == before and len(list(crashed.iterdir())) == 2
    with closing(sqlite3.connect(world.database)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM stock").fetchone() == (12,)


def test_tables_that_store_a_full_text_index_are_left_out(shop: Path, tmp_path: Path):
    own = Path(shutil.copy(shop, tmp_path))
    with closing(sqlite3.connect(own)) as connection:
        connection.execute("CREATE VIRTUAL TABLE notes USING fts5 (body)")
        connection.executemany("INSERT INTO notes VALUES (?)", [(f"note {n}",) for n in range(20)])
        connection.commit()
    names = {universe.id for universe in prepare(own, tmp_path / "world").manifest.universes}
    assert "products" in names and not any(name.startswith("notes") for name in names)


def test_without_documents_no_task_has_a_rule_about_them(shop: Path, tmp_path: Path):
    assert not [task for task in tasks(prepare(shop, tmp_path / "world")) if task.rules]


def test_a_broken_world_in_the_output_folder_is_not_given(shop: Path, tmp_path: Path):
    prepare(shop, tmp_path / "world").database.unlink()
    with pytest.raises(PreflightError, match="holds a broken world"):
        prepare(shop, tmp_path / "world")
