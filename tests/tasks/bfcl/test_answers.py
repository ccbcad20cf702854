"""Calls that the official answers allow, as an agent would write them."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.tasks.bfcl.answers import answer_calls, call_of_text
from agentbench.types import ToolCall


def function(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"name": "book.table", "parameters": {"type": "dict", "properties": properties, "required": list(required)}}


def arguments(allowed: dict[str, Any], category: str = "simple_python", **properties: Any) -> dict[str, Any]:
    (call,) = answer_calls([{"book.table": allowed}], [function(**properties)], category)
    assert call.name == "book.table"
    return call.arguments


def test_the_first_allowed_value_is_taken() -> None:
    assert arguments({"guests": [4, 5]}, guests={"type": "integer"}) == {"guests": 4}


def test_what_may_only_be_left_out_is_left_out() -> None:
    allowed = {"guests": [4], "note": [""], "time": ["", "19:00"]}
    properties = {name: {"type": "string"} for name in allowed}
    assert arguments(allowed, "simple_python", **properties) == {"guests": 4, "time": "19:00"}


def test_what_is_required_and_empty_is_there() -> None:
    (call,) = answer_calls([{"book.table": {"note": [""]}}], [function(("note",), note={"type": "string"})], "multiple")
    assert call.arguments == {"note": ""}


def test_an_answer_may_name_a_parameter_that_the_function_lacks() -> None:
    assert arguments({"guests": [4], "smoking": [True, ""]}, guests={"type": "integer"}) == {"guests": 4}


def test_objects_name_the_allowed_values_of_their_keys() -> None:
    allowed = {"where": [{"room": ["terrace", "garden"], "floor": [2], "row": [""]}]}
    assert arguments(allowed, where={"type": "dict"}) == {"where": {"room": "terrace", "floor": 2}}


def test_objects_in_lists_do_so_as_well() -> None:
    allowed = {"dishes": [[{"name": ["soup"], "count": [2]}]]}
    schema = {"type": "array", "items": {"type": "dict"}}
    assert arguments(allowed, dishes=schema) == {"dishes": [{"name": "soup", "count": 2}]}


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "long"}, 42, "42L"),
        ({"type": "float"}, 1.5, "1.5f"),
        ({"type": "boolean"}, True, "true"),
        ({"type": "String"}, "table", "table"),
        ({"type": "Array", "items": {"type": "integer"}}, [1, 2], "new integer[]{1, 2}"),
        ({"type": "ArrayList", "items": {"type": "long"}}, [1], "new ArrayList<>(Arrays.asList(1L))"),
        ({"type": "ArrayList", "items": {"type": "String"}}, ["a"], 'new ArrayList<>(Arrays.asList("a"))'),
        ({"type": "HashMap"}, {"a": [1]}, 'new HashMap<String, Object>() {{ put("a", 1); }}'),
    ],
)
def test_java_takes_source_text(schema: dict[str, Any], value: Any, text: str) -> None:
    assert arguments({"x": [value]}, "simple_java", x=schema) == {"x": text}


@pytest.mark.parametrize(
    ("schema", "value", "text"),
    [
        ({"type": "Boolean"}, False, "false"),
        ({"type": "Bigint"}, 7, "7n"),
        ({"type": "array", "items": {"type": "String"}}, ["a"], '["a"]'),
        ({"type": "any"}, "window", "window"),
    ],
)
def test_javascript_takes_source_text(schema: dict[str, Any], value: Any, text: str) -> None:
    assert arguments({"x": [value]}, "simple_javascript", x=schema) == {"x": text}


def test_a_line_of_python_gives_its_arguments_their_names() -> None:
    parameters = {"move": ("source", "target", "force")}
    found = call_of_text("move('a.txt', 'b', force=True)", parameters)
    assert found == ToolCall("move", {"source": "a.txt", "target": "b", "force": True})
    assert call_of_text("move(source=[-1, (2, 3)])", parameters).arguments == {"source": [-1, [2, 3]]}


@pytest.mark.parametrize("text", ["open('x').read()", "1 + 1", "move(__import__('os'))"])
def test_python_that_is_no_plain_call_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        call_of_text(text, {"move": ("source",)})
