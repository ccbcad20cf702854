"""What holds for every tool, whatever stands behind it and under whatever names it is presented."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jsonschema
import numpy as np
import pytest
from aiohttp import web
from numpy.typing import NDArray

from agentbench.config.env import ToolContract
from agentbench.errors import ToolError
from agentbench.policies.probes import random_call
from agentbench.tools import Tool
from agentbench.tools.blocking import BlockingTool
from agentbench.tools.http.client import HttpClient
from agentbench.tools.http.http_tools import http_tools
from agentbench.tools.http.openapi import read_openapi
from agentbench.tools.http.served import openapi_of, served
from agentbench.tools.http.spec import HttpApi
from agentbench.tools.interface import presented, presented_task, view_of
from agentbench.tools.retriever import Collection, Document, Retriever
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.dense import DenseRetriever
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.hybrid import HybridRetriever
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Endpoint, Universe
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Gold,
    History,
    Observation,
    Outcome,
    Task,
    ToolCall,
    ToolSpec,
    Turn,
)

KINDS = (
    "rest",
    "slot_filling",
    "selection",
    "vakra_slots",
    "vakra_selects",
    "http",
    "bm25",
    "dense",
    "hybrid",
    "blocking",
    "renamed",
    "bare",
)
WORKING = {
    "tool_universe_id": "films",
    "data_label": "films_1",
    "data_label_1": "films_1",
    "data_label_2": "films_1",
    "key_name": "balance",
    "value": 60,
    "limit": 2,
    "unique_array": [1, 1],
    "input_1": 1,
    "input_2": 2,
    "title": "Amélie",
    "year": 2000,
    "start_index": 1,
    "datetime_pattern": "%Y",
    "truncate_array": "films_1",
    "n": 2,
    "query": "rust",
    "top_k": 1,
}
INSTEAD = {
    "select_data_contains": {"key_name": "title", "value": "a"},
    "select_data_like": {"key_name": "title", "value": "A%"},
    "transform_data": {"key_name": "title"},
    "transform_data_to_substring": {"key_name": "title"},
    "transform_data_to_datetime_part": {"key_name": "premiere"},
    "get_studios": {"data_label": "films_studios_2"},
    "get_countrys": {"data_label": "films_studios_2"},
}
"""Of tools that work on something else than `WORKING`."""
RELEASED = {
    **dict.fromkeys(("data_label", "data_label_1", "data_label_2"), "initial_data_1"),
    "truncate_array": [1, 1],
    "end_index": 2,
    "tool_universe_id": "films_studios",
}
"""Where the vakra contract differs: one table is opened, and lists are given as such."""
ENDPOINT = Endpoint(
    "get_director",
    "Who directed a film.",
    'SELECT "director" FROM "films" WHERE "title" = :title',
    {"title": {"type": "string", "description": "Title of the film."}},
    "director",
)
TITLE_LENGTH = ToolSpec(
    "get_title_length",
    "How many letters a title has.",
    {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
        "additionalProperties": False,
    },
)
VAKRA = {"vakra_slots": slot_filling_tools, "vakra_selects": selection_tools}
HANDLE = re.compile(r'"handle": ?"[^"]*"')


class Case(NamedTuple):
    """A tool, and arguments that it can do something with."""

    tool: Tool
    arguments: dict[str, Any]


class Letters:
    """An encoder that counts letters."""

    identity, dimensions = "letters", 26

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [[text.lower().count(chr(97 + n)) + 1 for n in range(26)] for text in texts]
        vectors = np.array(rows, dtype=np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all calls, so that a client and its server live in the same."""
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(params=KINDS)
def cases(
    request: pytest.FixtureRequest,
    toolboxes: dict[str, Callable[[], Any]],
    database: Database,
    universes: tuple[Universe, ...],
    runner: asyncio.Runner,
    tmp_path: Path,
) -> Iterator[list[Case]]:
    kind = request.param
    if kind == "http":
        yield from over_http(database, runner)
    elif kind in ("bm25", "dense", "hybrid"):
        yield [case(searching(kind, tmp_path))]
    elif kind == "blocking":
        with ThreadPoolExecutor(1) as workers:
            yield [case(BlockingTool(TITLE_LENGTH, lambda given: {"length": len(given["title"])}, workers))]
    elif kind in VAKRA:
        tools = VAKRA[kind](database, universes[1:], 3, ToolContract.VAKRA)
        opening = next(tool for tool in tools if tool.spec.name == "get_data")
        runner.run(opening.call({"tool_universe_id": "films_studios"}))
        yield [case(tool, RELEASED) for tool in tools]
    elif kind in ("renamed", "bare"):
        own = [case(tool) for name in toolboxes for tool in opened(toolboxes[name]())]
        yield renamed([item for item in own if item.tool.spec.name != "get_titles_since"], kind)
    else:
        yield [case(tool) for tool in opened(toolboxes[kind]())]


def opened(toolbox: Any) -> list[Tool]:
    """Tools whose episode has made the handles that `WORKING` names."""
    if "get_data" in toolbox.tools:
        toolbox("get_data", tool_universe_id="films")
        toolbox("get_data", tool_universe_id="films_studios")
    return list(toolbox.tools.values())


def searching(kind: str, folder: Path) -> Tool:
    """`retrieve_documents` over one document, the number of results exposed."""
    document = Document("iron", "Iron", "Iron rusts.")
    build_index(folder / "index", [document])
    (folder / "documents.jsonl").write_text('{"id": "iron", "title": "Iron", "text": "Iron rusts."}\n')
    bm25 = Bm25Retriever(folder / "index")
    dense = DenseRetriever(DocumentFile(folder / "documents.jsonl"), Letters().encode(["Iron rusts."]), Letters())
    retrievers: dict[str, Retriever] = {"bm25": bm25, "dense": dense, "hybrid": HybridRetriever((bm25, dense), 60)}
    return retrieve_documents_tool({"metals": retrievers[kind]}, [Collection("metals", "Metals.")], 3, True)


def over_http(database: Database, runner: asyncio.Runner) -> Iterator[list[Case]]:
    """Tools of a real server on this machine."""
    server = web.AppRunner(served([ENDPOINT], database, "Films"))
    runner.run(server.setup())
    site = web.TCPSite(server, "127.0.0.1", 0)
    runner.run(site.start())
    address = f"http://127.0.0.1:{server.addresses[0][1]}"
    client = HttpClient(address)
    api = HttpApi(address, read_openapi(openapi_of([ENDPOINT], "Films"), "films"))
    yield [case(tool) for tool in http_tools(api, client, 3)]
    runner.run(client.close())
    runner.run(server.cleanup())


def renamed(own: list[Case], kind: str) -> list[Case]:
    """The same cases under presented names; arguments are translated as those of gold calls are."""
    by_name = {item.tool.spec.name: item for item in own}
    specs = [item.tool.spec for item in by_name.values()]
    view = view_of(specs, obfuscate_names=True, descriptions=kind == "renamed", seed=0)
    calls = tuple(CallTools((ToolCall(name, item.arguments),)) for name, item in by_name.items())
    task = Task("t", "m3", "films", (Turn("?", Gold(Answer(AnswerType.UNANSWERABLE), calls)),))
    translated = [action.calls[0].arguments for action in presented_task(task, view).turns[0].gold.actions]
    tools = presented([item.tool for item in by_name.values()], view)
    return [Case(tool, arguments) for tool, arguments in zip(tools, translated, strict=True)]


def case(tool: Tool, different: Mapping[str, Any] = MappingProxyType({})) -> Case:
    schema = tool.spec.parameters
    enums = {name: value["enum"][0] for name, value in schema["properties"].items() if "enum" in value}
    known = {**WORKING, **enums, **INSTEAD.get(tool.spec.name, {}), **different}
    needed = [*schema["required"], *({"key_name"} & schema["properties"].keys())]
    return Case(tool, {name: known[name] for name in needed})


@pytest.fixture
def run(runner: asyncio.Runner) -> Callable[[Tool, dict[str, Any]], Observation]:
    return lambda tool, arguments: runner.run(tool.call(arguments))


def test_every_spec_is_a_closed_object_schema_with_a_usable_name(cases: list[Case]) -> None:
    for tool, _ in cases:
        jsonschema.Draft202012Validator.check_schema(tool.spec.parameters)
        assert tool.spec.parameters["type"] == "object"
        assert tool.spec.parameters["additionalProperties"] is False
        assert set(tool.spec.parameters.get("required", ())) <= tool.spec.parameters["properties"].keys()
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.spec.name)


@pytest.mark.parametrize("cases", [kind for kind in KINDS if kind != "bare"], indirect=True)
def test_every_tool_is_described(cases: list[Case]) -> None:
    assert all(tool.spec.description.strip() for tool, _ in cases)


def test_every_argument_is_typed(cases: list[Case]) -> None:
    for tool, _ in cases:
        for argument, schema in tool.spec.parameters["properties"].items():
            assert "type" in schema, (tool.spec.name, argument)


def test_every_tool_answers_valid_arguments_with_json(cases: list[Case], run) -> None:
    for tool, arguments in cases:
        jsonschema.Draft202012Validator(tool.spec.parameters).validate(arguments)
        observation = run(tool, arguments)
        json.loads(observation.text)
        assert observation.outcome is Outcome.OK


@pytest.mark.parametrize("cases", [kind for kind in KINDS if kind not in VAKRA], indirect=True)
def test_results_are_objects_in_compact_json(cases: list[Case], run) -> None:
    for tool, arguments in cases:
        text = run(tool, arguments).text
        assert text.startswith("{")
        assert text == json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("text", ["'; DROP TABLE films; --", "\x00", "\ud800", "", "films_1", "x" * 100_000])
def test_hostile_text_in_every_string_gives_an_answer_or_a_tool_error(cases: list[Case], run, text: str) -> None:
    for tool, arguments in cases:
        for name, schema in tool.spec.parameters["properties"].items():
            if "string" in schema["type"] and "enum" not in schema:
                answered_or_refused(run, tool, {**arguments, name: text})


def test_random_legal_arguments_give_an_answer_or_a_tool_error(cases: list[Case], run) -> None:
    rng = random.Random(0)
    for tool, _ in cases:
        history = History((tool.spec,), Observation("Which films of 1997 did films_1 balance title Jeunet?"))
        for _ in range(15):
            answered_or_refused(run, tool, random_call(rng, tool.spec, history).arguments)


def answered_or_refused(run: Callable[..., Observation], tool: Tool, arguments: dict[str, Any]) -> None:
    try:
        json.loads(run(tool, arguments).text)
    except ToolError as error:
        assert len(str(error).encode()) < 1000
        assert "\n" not in str(error)


def test_a_call_leaves_its_arguments_as_they_were(cases: list[Case], run) -> None:
    for tool, arguments in cases:
        before = json.dumps(arguments)
        run(tool, arguments)
        assert json.dumps(arguments) == before


def test_the_same_call_on_the_same_tables_gives_the_same_answer(cases: list[Case], run) -> None:
    for tool, arguments in cases:
        first, second = (HANDLE.sub("", run(tool, arguments).text) for _ in range(2))
        assert first == second
