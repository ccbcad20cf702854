"""Calls that the official answers allow: what an agent that knows them would make.

An answer names, for every parameter, all values that count as right, the usual one first; an empty text among them says
that the parameter may be left out. Questions about Java and JavaScript take every argument as source text.
"""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from agentbench.types import ToolCall

Schema = Mapping[str, Any]

_LEFT_OUT = ""
_OBJECTS = ("dict", "object")
_LISTS = ("array", "tuple", "list", "ArrayList", "Array")


def answer_calls(answer: Sequence[Mapping[str, Any]], functions: Sequence[Schema], category: str) -> list[ToolCall]:
    """One allowed call for each function that the answer names, under the official names."""
    write = {"simple_java": _java, "simple_javascript": _javascript}.get(category, _as_it_is)
    return [_call(name, values, functions, write) for item in answer for name, values in item.items()]


def call_of_text(text: str, parameters: Mapping[str, Sequence[str]]) -> ToolCall:
    """The call that a line of Python stands for; arguments without a name get theirs from `parameters`, by function."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", SyntaxWarning)
        node = ast.parse(text, mode="eval").body
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        raise ValueError(f"{text!r} is no call")
    name = node.func.id
    given = {key: ast.literal_eval(value) for key, value in zip(parameters[name], node.args, strict=False)}
    named = {word.arg: ast.literal_eval(word.value) for word in node.keywords if word.arg}
    return ToolCall(name, json.loads(json.dumps({**given, **named})))


Write = Callable[[Any, Schema], Any]
"""Takes a value and the schema of its parameter; gives it as an argument."""


def _call(name: str, allowed: Mapping[str, Any], functions: Sequence[Schema], write: Write) -> ToolCall:
    named = [function for function in functions if function["name"] == name]
    if not named:
        raise ValueError(f"the answer calls {name!r}, which is no function of the question")
    parameters = named[0]["parameters"]
    schemas: Mapping[str, Schema] = parameters["properties"]
    required: Sequence[str] = parameters.get("required", ())
    chosen = {
        key: values
        for key, values in allowed.items()
        if key in schemas and (_wanted(values) or (values and key in required))
    }
    return ToolCall(name, {key: write(_usual(values, schemas[key]), schemas[key]) for key, values in chosen.items()})


def _wanted(values: Sequence[Any]) -> bool:
    """Whether an argument can be there; one that may be missing is left out only where nothing else is allowed."""
    return any(value != _LEFT_OUT for value in values)


def _usual(values: Sequence[Any], schema: Schema) -> Any:
    """The first of the allowed values; objects among them name the allowed values of their own keys."""
    value = next((value for value in values if value != _LEFT_OUT), _LEFT_OUT)
    items: Schema = schema.get("items") or {}
    if schema.get("type") in (*_OBJECTS, "HashMap") and isinstance(value, dict):
        return _object(value, schema)
    if schema.get("type") in _LISTS and items.get("type") in _OBJECTS and isinstance(value, list):
        return [_object(item, items) if isinstance(item, dict) else item for item in value]
    return value


def _object(allowed: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Keys with the first of their allowed values; a key that may be missing only is left out."""
    chosen: dict[str, Any] = {}
    for key, values in allowed.items():
        if not isinstance(values, list):
            chosen[key] = values
        elif _wanted(values):
            chosen[key] = next(value for value in values if value != _LEFT_OUT)
    return chosen


def _as_it_is(value: Any, _schema: Schema) -> Any:
    return value


def _java(value: Any, schema: Schema) -> str:
    """A value as Java source text."""
    if isinstance(value, str):
        return value
    inner: str = (schema.get("items") or {}).get("type", "any")
    match schema["type"]:
        case "long":
            return f"{value}L"
        case "float":
            return f"{value}f"
        case "Array":
            # the official reader of arrays keeps quotes around elements whose type is named, and drops them otherwise
            quote = _java_literal if inner == "any" else _bare
            return f"new {inner}[]{{{', '.join(quote(item) for item in value)}}}"
        case "ArrayList":
            suffix = "L" if inner == "long" else ""
            return f"new ArrayList<>(Arrays.asList({', '.join(_java_literal(item) + suffix for item in value)}))"
        case "HashMap":
            puts = " ".join(f'put("{key}", {_java_literal(item)});' for key, item in value.items())
            return f"new HashMap<String, Object>() {{{{ {puts} }}}}"
        case _:
            return _java_literal(value)


def _java_literal(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else _bare(value)


def _bare(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _javascript(value: Any, schema: Schema) -> str:
    """A value as JavaScript source text."""
    if isinstance(value, str):
        return value
    return f"{value}n" if schema["type"] == "Bigint" else json.dumps(value, ensure_ascii=False)
