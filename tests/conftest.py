"""A small film world that several test folders share: two tools, one document, one two-hop task."""

from __future__ import annotations

import dataclasses
import signal
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings

from agentbench.errors import ToolError
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Gold,
    Observation,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Turn,
)

# A shell starts background jobs with SIGINT ignored, and the processes that tests start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How fast examples are drawn says something about the machine, which may be busy, and nothing about the code.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


class FilmApi:
    """`get_film_director(title)` over one film; a title of `crash` makes it fail."""

    spec = ToolSpec(
        "get_film_director",
        "The director of a film.",
        {
            "type": "object",
            "properties": {"title": {"type": "string"}, "limit": {"type": "integer", "default": 5}},
            "required": ["title"],
            "additionalProperties": False,
        },
        ToolKind.API,
    )

    async def call(self, arguments: dict[str, Any]) -> Observation:
        if arguments["title"] == "crash":
            raise ToolError("the database is on fire")
        found = ["Jack Lee"] if arguments["title"] == "Robbery" else []
        return Observation(orjson.dumps({"director": found}).decode())


class Search:
    """`retrieve_documents` that finds one document about Jack Lee."""

    spec = ToolSpec(
        "retrieve_documents",
        "Searches a collection.",
        {
            "type": "object",
            "properties": {"collection": {"enum": ["people"]}, "query": {"type": "string"}},
            "required": ["collection", "query"],
            "additionalProperties": False,
        },
        ToolKind.RETRIEVER,
    )

    async def call(self, arguments: dict[str, Any]) -> Observation:
        found = [{"id": "people-1", "text": "Jack Lee was born in Stroud."}] if "Lee" in arguments["query"] else []
        return Observation(orjson.dumps({"results": found}).decode())


@pytest.fixture
def film_tools() -> tuple[FilmApi, Search]:
    """The two tools."""
    return FilmApi(), Search()


@pytest.fixture
def film_task() -> Task:
    """Where was the director of Robbery born? First the API, then the documents."""
    look_up = CallTools((ToolCall("get_film_director", {"title": "Robbery"}),), "Look up the director.")
    search = CallTools((ToolCall("retrieve_documents", {"collection": "people", "query": "$var_1.director.0$"}),))
    gold = Gold(Answer(AnswerType.TEXT, "Stroud"), (look_up, search), ("people-1",))
    data = {"scenario": "api_before_rag", "tool_availability": "both_api_rag"}
    turn = Turn("Where was the director of Robbery born?", gold)
    return Task("films-1", "m3", "films", (turn,), (), (ToolKind.API, ToolKind.RETRIEVER), data)


@pytest.fixture
def unanswerable(film_task: Task) -> Task:
    """The same question where only the API exists."""
    turn = Turn(film_task.turns[0].query, Gold(Answer(AnswerType.UNANSWERABLE)))
    return dataclasses.replace(film_task, id="films-2", turns=(turn,), tools_allowed=(ToolKind.API,))


@pytest.fixture
def two_turns(film_task: Task) -> Task:
    """First who directed it, then where that person was born."""
    first, second = film_task.turns[0].gold.actions
    director = Turn("Who directed Robbery?", Gold(Answer(AnswerType.TEXT, "Jack Lee"), (first,)))
    born = Turn("Where was that person born?", Gold(Answer(AnswerType.TEXT, "Stroud"), (second,), ("people-1",)))
    return dataclasses.replace(film_task, id="films-3", turns=(director, born))


Call = Callable[..., CallTools]


@pytest.fixture
def call() -> Call:
    """`call("name", key=value)` as an action."""
    return lambda name, **arguments: CallTools((ToolCall(name, arguments),))
