"""Seven heroes with names and numbers missing, at the public benchmark's contract."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.env import ToolContract
from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Universe

SCHEMA = """
    CREATE TABLE hero (id INTEGER, name TEXT, alias TEXT, height REAL, born TEXT, points INTEGER);
    INSERT INTO hero VALUES
        (1, 'Ant', 'A.T', 1.5, '1990-02-03', 5),
        (2, 'Bee', NULL, NULL, '1991-12-31 10:00:00', -3),
        (3, 'ant', 'A-T', 2.0, 'unknown', 5),
        (4, 'Cat+', 'CT', 1.5, NULL, 8),
        (5, 'Dog', 'D', 3.0, '2001-01-01', 0);
"""
COLUMNS = {"id": "INTEGER", "name": "TEXT", "alias": "TEXT", "height": "REAL", "born": "TEXT", "points": "INTEGER"}


@pytest.fixture(scope="session")
def heroes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The open database."""
    path = tmp_path_factory.mktemp("heroes") / "heroes.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(SCHEMA)
    connection.close()
    database = Database(Path(path), 5.0)
    yield database
    database.close()


def universe(name: str, where: str = "") -> Universe:
    """A universe whose columns are called as the public benchmark does."""
    columns = tuple(Column(f"hero_{key}", type_, "", f'"hero"."{key}"') for key, type_ in COLUMNS.items())
    return Universe(name, "Heroes.", f'(SELECT * FROM "hero" {where}) AS "hero"', columns)


UNIVERSES = (universe("u1"), universe("u2", "WHERE points > 0"))


class Texts:
    """The tools of one episode by name; a call gives the observation's text."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self.tools = {tool.spec.name: tool for tool in tools}

    def __call__(self, name: str, **arguments: Any) -> str:
        return asyncio.run(self.tools[name].call(arguments)).text


@pytest.fixture
def slots(heroes: Database) -> Callable[..., str]:
    """slot_filling tools; `initial_hero_1` is open."""
    texts = Texts(slot_filling_tools(heroes, UNIVERSES, 20, ToolContract.VAKRA))
    texts("get_data")
    return texts


@pytest.fixture
def selects(heroes: Database) -> Callable[..., str]:
    """Selection tools; `initial_hero_1` is open."""
    texts = Texts(selection_tools(heroes, UNIVERSES, 20, ToolContract.VAKRA))
    texts("get_data", tool_universe_id="u1")
    return texts
