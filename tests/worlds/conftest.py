"""All three embedded worlds, built once per test session with few tasks, and a small shop of a user's own."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agentbench.config.env import Granularity
from agentbench.config.source import TaskCounts
from agentbench.config.tasks import Split
from agentbench.tasks.files import read_tasks
from agentbench.types import Task
from agentbench.worlds.embedded import EMBEDDED, prepare_embedded
from agentbench.worlds.manifest import World

COUNTS = TaskCounts(train=300, validation=80, test=120)

SHOP = """
CREATE TABLE Makers (MakerID INTEGER PRIMARY KEY, "Maker Name" TEXT NOT NULL, city TEXT, founded INTEGER, logo BLOB);
CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT, price REAL, "größe €" INTEGER, maker_id INTEGER, data TEXT);
CREATE TABLE "order" (number INTEGER PRIMARY KEY, "select" TEXT, amount INTEGER) WITHOUT ROWID;
CREATE TABLE stock (a INTEGER, b INTEGER, pieces INTEGER, PRIMARY KEY (a, b));
CREATE TABLE "nothing" (x TEXT);
CREATE VIEW cheap AS SELECT * FROM products WHERE price < 5;
"""
ADJECTIVES = ("Red", "Blue", "Tiny", "Grand", "Swift", "Quiet", "Solar", "Iron", "Glass", "Royal", "Plain", "Deep")
THINGS = ("Lamp", "Chair", "Kettle", "Bike", "Drone", "Clock")
MAKERS = tuple(
    f"{first} {last}" for first in ("Acme", "Globex", "Hooli", "Stark") for last in ("Foods", "Works", "Labs")
)


class Worlds:
    """The embedded worlds by name, and their tasks."""

    def __init__(self, folder: Path) -> None:
        self.reports: list[str] = []
        self.folder = folder
        self.by_name = {name: prepare_embedded(name, 0, COUNTS, folder, self.reports.append) for name in EMBEDDED}
        self._read: dict[tuple[str, str, str], tuple[Task, ...]] = {}

    def tasks(self, name: str, split: Split, granularity: Granularity = Granularity.REST) -> tuple[Task, ...]:
        key = (name, split.value, granularity.value)
        if key not in self._read:
            self._read[key] = read_tasks(self.by_name[name].tasks(granularity.value, split.value))
        return self._read[key]

    def all_tasks(self, name: str, granularity: Granularity = Granularity.REST) -> tuple[Task, ...]:
        return tuple(task for split in Split for task in self.tasks(name, split, granularity))


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Worlds:
    return Worlds(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session", params=EMBEDDED)
def world(request: pytest.FixtureRequest, worlds: Worlds) -> World:
    return worlds.by_name[request.param]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with what users' files have: odd names, no foreign keys, a composite key, bytes, nulls, a view."""
    path = tmp_path_factory.mktemp("shop") / "shop.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SHOP)
        makers = [(n, name, ("Oslo", "Rome")[n % 2], 1950 + n, b"\0\1") for n, name in enumerate(MAKERS, 1)]
        connection.executemany("INSERT INTO Makers VALUES (?, ?, ?, ?, ?)", makers)
        names = [f"{adjective} {thing}" for adjective in ADJECTIVES for thing in THINGS]
        products = [(n, name, n + 0.5, n * 7 % 40 or None, n % 12 + 1, f"d{n}") for n, name in enumerate(names, 1)]
        connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?, ?, ?)", products)
        orders = [(1000 + n, ("open", "done")[n % 2], n * 3) for n in range(30)]
        connection.executemany('INSERT INTO "order" VALUES (?, ?, ?)', orders)
        connection.executemany(
            "INSERT INTO stock VALUES (?, ?, ?)", [(a, b, a * b) for a in range(4) for b in range(4)]
        )
        connection.commit()
    return path


@pytest.fixture(scope="session")
def shop_documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of every maker in Markdown, and a text file for some products."""
    folder = tmp_path_factory.mktemp("documents")
    profiles = [
        f"## {name}\n\nFounder: Person{n} Lee\n\nThe slogan of {name} is We make idea {n}x.\n"
        f"{name} began in a small shed beside harbour gate {n}h with some friends.\n"
        for n, name in enumerate(MAKERS)
    ]
    (folder / "makers.md").write_text("# All makers\n\n" + "\n".join(profiles))
    for n, adjective in enumerate(ADJECTIVES):
        (folder / f"{adjective} Lamp.txt").write_text(f"Designer: Nora{n} Moss\nSupplier: {MAKERS[n]}\n")
    return folder
