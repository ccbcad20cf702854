"""Argument schemas of strangers: used, or refused before an episode meets them."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.envs.tool_env import argument_problem
from agentbench.tools.mcp.schemas import schema_problem
from agentbench.types import ToolSpec


def about(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


TREE = {"type": "object", "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}
USABLE = {
    "no properties": {"type": "object"},
    "a reference that comes back": {**about(root={"$ref": "#/$defs/tree"}), "$defs": {"tree": TREE}},
    "an old place for definitions": {**about(a={"$ref": "#/definitions/a"}), "definitions": {"a": {"type": "string"}}},
    "an anchor": about(a={"$anchor": "here"}, b={"$ref": "#here"}),
    "a property named like a keyword": about(**{"$ref": {"type": "string"}}),
    "an older dialect": {"$schema": "http://json-schema.org/draft-07/schema#", **about(a={"const": 1})},
    "combinations": {
        **about(a=True),
        "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
        "additionalProperties": False,
    },
}


@pytest.mark.parametrize("schema", USABLE.values(), ids=USABLE)
def test_a_usable_schema_checks_arguments_without_failing(schema: dict[str, Any]) -> None:
    assert schema_problem(schema) == ""
    nested: dict[str, Any] = {"root": {"children": [{"children": []}]}, "a": 1, "b": None, "$ref": "x"}
    assert isinstance(argument_problem(ToolSpec("t", "", schema), nested), str)


REFUSED = {
    "no object": ({"type": "array"}, "of type 'array', not 'object'"),
    "no type": ({}, "of type None"),
    "an unknown type": (about(a={"type": "strin"}), "properties.a.type: 'strin'"),
    "no schema at all": (about(a=3), "properties.a: 3"),
    "a broken pattern": (about(a={"pattern": "("}), "'(' is not a 'regex'"),
    "a reference to nothing": (about(a={"$ref": "#/$defs/a"}), "/$defs/a"),
    "a reference to a reference to nothing": (
        {**about(a={"$ref": "#/definitions/a"}), "definitions": {"a": {"$ref": "#/no"}}},
        "'/no' leads outside of it or nowhere",
    ),
    "a reference to an address": (about(a={"items": {"$ref": "http://127.0.0.1:9/s"}}), "'http://127.0.0.1:9/s' leads"),
    "a reference to a file": (
        {"type": "object", "allOf": [{"$dynamicRef": "file:///etc/passwd"}]},
        "file:///etc/passwd",
    ),
    "a circle": ({"type": "object", "$ref": "#"}, "refers to itself in a circle"),
    "a number that is too large": (about(a={"maximum": 2**70}), "64-bit"),
}


@pytest.mark.parametrize(("schema", "problem"), REFUSED.values(), ids=REFUSED)
def test_a_schema_that_would_end_an_episode_is_refused_in_one_line(schema: dict[str, Any], problem: str) -> None:
    found = schema_problem(schema)
    assert problem in found and "\n" not in found and len(found) < 300
