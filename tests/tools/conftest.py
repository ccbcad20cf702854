"""Five films of three studios, and a way to call tools by name."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Endpoint, Universe

SCHEMA = """
    CREATE TABLE studios (id INTEGER PRIMARY KEY, studio TEXT, country TEXT);
    CREATE TABLE films (id INTEGER PRIMARY KEY, title TEXT, director TEXT, year INTEGER, rating REAL, premiere TEXT,
                        balance INTEGER, studio_id INTEGER REFERENCES studios (id));
    CREATE INDEX films_studio ON films (studio_id);
    INSERT INTO studios VALUES (1, 'Aurora', 'France'), (2, 'Kite', 'Peru'), (3, 'Lone', 'Japan');
    INSERT INTO films VALUES
        (1, 'Amélie', 'Jeunet', 2001, 8.0, '2001-04-25', 60, 1),
        (2, 'Delicatessen', 'Jeunet', 1991, 7.5, '1991-04-17', -4, 1),
        (3, 'Contact', 'Zemeckis', 1997, 7.5, '1997-07-11', 80, 2),
        (4, 'Flight', 'Zemeckis', 2012, NULL, '2012-10-14 20:15:00', 130, 2),
        (5, '100% _Solo_', 'Howard', 2018, 7.0, NULL, -100, 2);
"""
FILM_COLUMNS = {"title": "TEXT", "director": "TEXT", "year": "INTEGER", "rating": "REAL", "premiere": "TEXT"}
FILM_COLUMNS |= {"balance": "INTEGER"}
ENDPOINTS = (
    Endpoint(
        "get_director",
        "Who directed a film.",
        'SELECT "director" FROM "films" WHERE "title" = :title',
        {"title": {"type": "string"}},
        "director",
    ),
    Endpoint(
        "get_titles_since",
        "Titles of the films since a year.",
        'SELECT "title" FROM "films" WHERE "year" >= :year ORDER BY "year"',
        {"year": {"type": "integer"}},
        "title",
    ),
)


class Toolbox:
    """The tools of one episode by name."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self.tools = {tool.spec.name: tool for tool in tools}

    def __call__(self, name: str, **arguments: object) -> dict[str, Any]:
        """The observation of one call as JSON."""
        return json.loads(asyncio.run(self.tools[name].call(arguments)).text)


@pytest.fixture(scope="session")
def films_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database file."""
    path = tmp_path_factory.mktemp("films") / "films.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
    connection.close()
    return path


@pytest.fixture(scope="session")
def database(films_path: Path) -> Iterator[Database]:
    """The open database, shared by all tests."""
    database = Database(films_path, 5.0)
    yield database
    database.close()


@pytest.fixture(scope="session")
def universes() -> tuple[Universe, ...]:
    """All films, and films joined with their studios."""
    films = tuple(Column(name, type_, f"the {name}", f'"films"."{name}"') for name, type_ in FILM_COLUMNS.items())
    studios = tuple(Column(name, "TEXT", f"the {name}", f'"studios"."{name}"') for name in ("studio", "country"))
    join = '"films" JOIN "studios" ON "films"."studio_id" = "studios"."id"'
    return (
        Universe("films", "All films.", '"films"', films),
        Universe("films_studios", "Films with their studios.", join, (*films, *studios)),
    )


@pytest.fixture
def slots(database: Database, universes: tuple[Universe, ...]) -> Toolbox:
    """slot_filling tools that show at most three values; `films_1` is open."""
    toolbox = Toolbox(slot_filling_tools(database, universes, 3))
    toolbox("get_data", tool_universe_id="films")
    return toolbox


@pytest.fixture
def selects(database: Database, universes: tuple[Universe, ...]) -> Toolbox:
    """Selection tools that show at most three values; `films_1` is open."""
    toolbox = Toolbox(selection_tools(database, universes, 3))
    toolbox("get_data", tool_universe_id="films")
    return toolbox


@pytest.fixture
def rest(database: Database) -> Toolbox:
    """REST tools that show at most three values."""
    return Toolbox(rest_tools(database, ENDPOINTS, 3))


@pytest.fixture(scope="session")
def toolboxes(database: Database, universes: tuple[Universe, ...]) -> dict[str, Callable[[], Toolbox]]:
    """A fresh toolbox of each granularity."""
    return {
        "rest": lambda: Toolbox(rest_tools(database, ENDPOINTS, 3)),
        "slot_filling": lambda: Toolbox(slot_filling_tools(database, universes, 3)),
        "selection": lambda: Toolbox(selection_tools(database, universes, 3)),
    }
