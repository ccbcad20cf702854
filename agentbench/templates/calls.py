"""Tool calls as the JSON that chat models write, and tool declarations as the JSON they are shown.

Reading is strict about meaning (a name and an object of arguments, or it is no call) and about size: what is read
here is stored later, so whatever the records' writer could not write again is refused.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from agentbench.types import ToolCall, ToolSpec

DEEPEST = 32
"""Levels of lists and objects that arguments may have."""


def json_text(value: Any) -> str:
    """JSON in the spelling chat templates use: a blank after commas and colons, letters unescaped."""
    return json.dumps(value, ensure_ascii=False)


def declaration(tool: ToolSpec) -> dict[str, Any]:
    """A tool in the OpenAI form."""
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def call_object(call: ToolCall) -> dict[str, Any]:
    """A call as the object that `read_call` reads."""
    return {"name": call.name, "arguments": call.arguments}


def read_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or is nested more than `DEEPEST` levels deep.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"no valid JSON: {error.msg} at character {error.pos + 1}") from error
    if not _shallow(value, DEEPEST):
        raise ValueError(f"JSON nested more than {DEEPEST} levels deep")
    return value


def read_call(value: Any) -> ToolCall:
    """The call an object stands for; keys other than `name` and `arguments` have no meaning.

    Raises:
        ValueError: it is no object, has no name, or its arguments are no object.
    """
    if not isinstance(value, dict):
        raise ValueError(f"a call must be a JSON object, not {json_text(value)[:80]}")
    name, arguments = value.get("name"), value.get("arguments")
    if not isinstance(name, str) or not name:
        raise ValueError("a call without a name")
    if not isinstance(arguments, dict):
        raise ValueError(f"the arguments of {name!r} are not a JSON object")
    return ToolCall(name, arguments)


def read_calls(text: str) -> tuple[ToolCall, ...]:
    """The calls in a JSON list.

    Raises:
        ValueError: it is no list of calls, or an empty one.
    """
    values = read_json(text)
    if not isinstance(values, list) or not values:
        raise ValueError("tool calls must be a JSON list of objects")
    return tuple(read_call(value) for value in values)


def _shallow(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels > 0 and all(_shallow(item, levels - 1) for item in value.values())
    if isinstance(value, list):
        return levels > 0 and all(_shallow(item, levels - 1) for item in value)
    return True
