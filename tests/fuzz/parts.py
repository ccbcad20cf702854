"""What targets need: a folder of their own, an event loop, a model that says what it is given, films with tools."""

from __future__ import annotations

import asyncio
import atexit
import shutil
import sqlite3
import tempfile
from collections.abc import Coroutine
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from agentbench.config.env import ToolContract
from agentbench.llm import Request, Sampling
from agentbench.llm.scripted import ScriptedLlm
from agentbench.llm.structured import StructuredLlm
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Universe
from agentbench.types import Answer, AnswerType, CallTools, Gold, Rule, Task, ToolCall, Turn
from tests.tools.conftest import ENDPOINTS, FILM_COLUMNS, SCHEMA

T = TypeVar("T")

_COLUMNS = tuple(Column(name, type_, f"the {name}", f'"films"."{name}"') for name, type_ in FILM_COLUMNS.items())
UNIVERSES = (Universe("films", "All films.", '"films"', _COLUMNS),)

TASK = Task(
    "films-1",
    "m3",
    "films",
    (
        Turn(
            "Who directed Heat?",
            Gold(Answer(AnswerType.TEXT, "Mann"), (CallTools((ToolCall("get_director", {"title": "Heat"}),), "look"),)),
        ),
    ),
    (Rule("Use no documents."),),
    data={"split": "train", "hops": 1},
)


@cache
def folder() -> Path:
    """A folder of this process, gone with it; in memory where the system has such a place."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="agentbench-fuzz-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def written(name: str, data: bytes) -> Path:
    """A file that holds an input."""
    path = folder() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop


def finished(work: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives."""
    return _loop().run_until_complete(work)


def text_of(data: bytes) -> str:
    """Bytes as a text that may hold anything that JSON can, halves of surrogate pairs too."""
    return data.decode("utf-8", "surrogateescape" if b"\xff" in data else "replace")


def saying(text: str) -> StructuredLlm:
    """A model that answers whatever it is asked with one text."""

    def reply(_request: Request) -> str:
        return text

    return StructuredLlm(ScriptedLlm(reply), Sampling(1.0, 1.0, 100), schema_guided=True)


@cache
def database_path() -> Path:
    """Films in a SQLite file."""
    path = folder() / "films.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(SCHEMA)
    return path


@cache
def _database() -> Database:
    return Database(database_path(), 1.0)


@cache
def _retriever() -> Bm25Retriever:
    build_index(folder() / "index", [Document("a", "Heat", "A film by Mann"), Document("b", "", "Rust and oil")])
    return Bm25Retriever(folder() / "index")


def tools(kind: str) -> tuple[Tool, ...]:
    """The tools of one episode."""
    match kind:
        case "rest":
            found = rest_tools(_database(), ENDPOINTS, 3)
            collection = Collection("films", "Films.")
            return (*found, retrieve_documents_tool({"films": _retriever()}, (collection,), 3, expose_top_k=True))
        case "slot_filling":
            return slot_filling_tools(_database(), UNIVERSES, 3)
        case "selection":
            return selection_tools(_database(), UNIVERSES, 3)
        case "vakra_slots":
            return slot_filling_tools(_database(), UNIVERSES, 3, ToolContract.VAKRA)
        case _:
            return selection_tools(_database(), UNIVERSES, 3, ToolContract.VAKRA)
