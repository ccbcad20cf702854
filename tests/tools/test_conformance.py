"""What holds for every tool of every granularity, and for `retrieve_documents`."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.types import Observation, Outcome

Tools = dict[str, Tool]
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
    "start": 1,
    "query": "rust",
}
INSTEAD = {
    "transform_data_to_datetime_part": "premiere",
    "get_studio": "films_studios_2",
    "get_country": "films_studios_2",
}


@pytest.fixture(params=["rest", "slot_filling", "selection", "retriever"])
def tools(request: pytest.FixtureRequest, toolboxes: dict[str, Callable[[], Any]], tmp_path: Path) -> Tools:
    if request.param == "retriever":
        build_index(tmp_path / "index", [Document("iron", "Iron", "Iron rusts.")])
        retrievers = {"metals": Bm25Retriever(tmp_path / "index")}
        tool = retrieve_documents_tool(retrievers, [Collection("metals", "Metals.")], 3)
        return {tool.spec.name: tool}
    toolbox = toolboxes[request.param]()
    if "get_data" in toolbox.tools:
        toolbox("get_data", tool_universe_id="films")
        toolbox("get_data", tool_universe_id="films_studios")
    return toolbox.tools


def working_arguments(tool: Tool) -> dict[str, Any]:
    """Arguments that every tool can do something with."""
    schema = tool.spec.parameters
    known = dict(WORKING)
    if tool.spec.name in INSTEAD:
        known["key_name"] = known["data_label"] = INSTEAD[tool.spec.name]
        if "key_name" in schema["properties"]:
            known["data_label"] = "films_1"
    enums = {name: value["enum"][0] for name, value in schema["properties"].items() if "enum" in value}
    return {name: {**known, **enums}[name] for name in schema["required"]}


def run(tool: Tool, arguments: dict[str, Any]) -> Observation:
    return asyncio.run(tool.call(arguments))


def test_every_spec_is_a_closed_object_schema_with_a_usable_name(tools: Tools) -> None:
    for name, tool in tools.items():
        jsonschema.Draft202012Validator.check_schema(tool.spec.parameters)
        assert tool.spec.parameters["type"] == "object"
        assert tool.spec.parameters["additionalProperties"] is False
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name)
        assert tool.spec.description.strip()


def test_every_argument_is_typed_and_described_or_a_worlds_own(tools: Tools) -> None:
    for name, tool in tools.items():
        for argument, schema in tool.spec.parameters["properties"].items():
            assert "type" in schema, (name, argument)


def test_every_tool_answers_valid_arguments_with_a_json_object(tools: Tools) -> None:
    for tool in tools.values():
        arguments = working_arguments(tool)
        jsonschema.Draft202012Validator(tool.spec.parameters).validate(arguments)
        observation = run(tool, arguments)
        assert observation.outcome is Outcome.OK
        assert isinstance(json.loads(observation.text), dict)
        assert observation.text == json.dumps(json.loads(observation.text), ensure_ascii=False, separators=(",", ":"))


@pytest.mark.parametrize("text", ["'; DROP TABLE films; --", "\x00", "\ud800", "", "films_1", "x" * 100_000])
def test_hostile_text_in_every_string_gives_an_answer_or_a_tool_error(tools: Tools, text: str) -> None:
    for tool in tools.values():
        arguments = working_arguments(tool)
        for name, schema in tool.spec.parameters["properties"].items():
            if "string" in schema["type"] and "enum" not in schema:
                answered_or_refused(tool, {**arguments, name: text})


def answered_or_refused(tool: Tool, arguments: dict[str, Any]) -> None:
    try:
        json.loads(run(tool, arguments).text)
    except ToolError as error:
        assert len(str(error).encode()) < 1000
        assert "\n" not in str(error)


def test_the_same_call_on_the_same_tables_gives_the_same_answer(tools: Tools) -> None:
    for tool in tools.values():
        first, second = (json.loads(run(tool, working_arguments(tool)).text) for _ in range(2))
        assert {**first, "handle": None} == {**second, "handle": None}
