"""NESTFUL's format: sequences that refer to each other, functions in a file of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.calls.nestful import read_nestful
from agentbench.types import ToolCall

SPEC = [
    {
        "name": "find_city",
        "description": "Finds a city.",
        "query_parameters": {"name": {"type": "String", "description": "Its name.", "required": True}},
        "output_parameters": {"id": {"type": "string"}, "country": {"type": "string"}},
    },
    {
        "name": "forecast",
        "description": "Its weather.",
        "parameters": {"city": {"type": "string", "required": True}, "days": {"type": "number", "default": "3"}},
        "output_parameters": {},
    },
]


def sequence(*calls: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    labelled = [{"name": name, "arguments": given, "label": f"var{n}"} for n, (name, given) in enumerate(calls, 1)]
    return {"input": "How is the weather?", "output": [*labelled, {"name": "var_result", "arguments": {"w": "$var2$"}}]}


NESTED = sequence(("find_city", {"name": "Oslo"}), ("forecast", {"city": "$var1.id$", "days": "2"}))


def data(folder: Path, *sequences: Any) -> Path:
    (folder / "towns-spec.json").write_text(json.dumps(SPEC))
    (folder / "towns-data.json").write_text(json.dumps(sequences))
    return folder


def test_calls_keep_their_references_and_take_their_parameters_types(tmp_path: Path) -> None:
    (question,) = read_nestful(data(tmp_path, NESTED)).kept
    forecast = ToolCall("forecast", {"city": "$var1.id$", "days": 2})
    assert question.calls == (ToolCall("find_city", {"name": "Oslo"}), forecast)
    assert (question.id, question.domain) == ("towns-1", "nestful-towns")


def test_functions_say_what_they_give(tmp_path: Path) -> None:
    find, forecast = read_nestful(data(tmp_path, NESTED) / "towns-data.json").kept[0].tools
    assert find.description == "Finds a city. Gives: id, country."
    assert find.parameters["required"] == ["name"] and forecast.parameters["properties"]["days"]["default"] == 3


def test_sequences_that_cannot_be_said_are_left_out(tmp_path: Path) -> None:
    odd = sequence(("find_city", {"name": "Oslo"}))
    odd["output"][0]["label"] = "var7"
    found = read_nestful(data(tmp_path, NESTED, sequence(("fly", {})), odd))
    assert len(found.kept) == 1 and sum(found.left_out.values()) == 2


def test_a_broken_entry_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"towns-data\.json: entry 2: a sequence is"):
        read_nestful(data(tmp_path, NESTED, {"input": "?"}))


def test_a_folder_without_such_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"no file named …-data\.json"):
        read_nestful(tmp_path)
