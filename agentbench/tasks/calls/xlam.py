"""xLAM's function-calling format: a question, functions and calls, the last two as JSON texts inside JSON.

    {"id": 7, "query": "…", "answers": "[{\\"name\\": …, \\"arguments\\": {…}}]",
     "tools": "[{\\"name\\": …, \\"description\\": …, \\"parameters\\": {\\"city\\": {\\"description\\": …,
                \\"type\\": \\"str, optional\\", \\"default\\": \\"\\"}}}]"}

A file is a JSON list of such rows, or has one per line. Types are Python's, and nothing says what is required: a
parameter is, unless its type says optional or it has a default. A default of another type than its parameter's (the
text "10" for a number) is read as that type where it can be, and left out of the schema otherwise.

A row whose right calls cannot be made, because it offers no such function, is left out and counted. Whatever cannot be
read ends the reading: the message names file and row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.calls.questions import Question, Questions, sorted_out
from agentbench.tasks.calls.types import UNFIT, Property, as_type, object_schema, read_type
from agentbench.types import ToolCall, ToolKind, ToolSpec

FUNCTIONS_KEPT = 65_536
"""Functions that are read once each, however many rows offer them."""

_KEYS = ("query", "tools", "answers")


def read_xlam(path: Path, domain: str = "xlam") -> Questions:
    """All rows of a file, in order, as questions of a domain.

    Raises:
        PreflightError: the file cannot be read.
        DataError: it is no JSON, a row is not as described above, or two have the same id.
    """
    return sorted_out((question._replace(domain=domain) for question in _read(path)), path)


def _read(path: Path) -> Iterator[Question]:
    for number, row in enumerate(_rows(path), 1):
        try:
            yield _question(row, number)
        except ValueError as error:
            raise DataError(path, f"row {number}{_named(row)}: {error}") from None


def _rows(path: Path) -> Iterable[Any]:
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise PreflightError(
            f"env.file: {str(path)!r} cannot be read: {failure.strerror}", "correct the path"
        ) from None
    if content.lstrip()[:1] != b"[":
        return _lines(path, content)
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"no valid JSON: {error.msg}", error.lineno) from None


def _lines(path: Path, content: bytes) -> Iterator[Any]:
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(path, f"no valid JSON: {error.msg}", number) from None


def _named(row: Any) -> str:
    return f" (id {row['id']!r})" if isinstance(row, dict) and "id" in row else ""


def _question(row: Any, number: int) -> Question:
    if not isinstance(row, dict):
        raise ValueError(f"a row is an object, not {type(row).__name__}")
    missing = [key for key in _KEYS if key not in row]
    if missing:
        raise ValueError(f"{missing[0]!r} is missing")
    if not isinstance(row["query"], str) or not row["query"].strip():
        raise ValueError(f"'query' is a text, not {row['query']!r}")
    tools = tuple(_tool(orjson.dumps(item)) for item in _listed(row, "tools"))
    calls = tuple(_call(item) for item in _listed(row, "answers"))
    return Question(str(row.get("id", number)), "", row["query"], tools, calls)


def _listed(row: dict[str, Any], key: str) -> list[Any]:
    """The list under a key: a JSON text, or the list itself as some copies of the data have it."""
    value = row[key]
    if isinstance(value, str):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{key!r} is a text that is no JSON: {error.msg} at character {error.pos + 1}") from None
    if not isinstance(value, list):
        raise ValueError(f"{key!r} is a list, not {type(value).__name__}")
    return value


def _call(item: Any) -> ToolCall:
    match item:
        case {"name": str(name), "arguments": dict(arguments)}:
            return ToolCall(name, arguments)
    raise ValueError(f"a call in 'answers' is {{name, arguments}}, not {str(item)[:100]!r}")


@lru_cache(FUNCTIONS_KEPT)
def _tool(text: bytes) -> ToolSpec:
    item = orjson.loads(text)
    match item:
        case {"name": str(name), "parameters": dict(parameters)}:
            described = item.get("description")
            properties = {key: _property(name, key, value) for key, value in parameters.items()}
            return ToolSpec(
                name, described if isinstance(described, str) else "", object_schema(properties), ToolKind.FUNCTION
            )
    raise ValueError(f"a function in 'tools' is {{name, description, parameters}}, not {str(item)[:100]!r}")


def _property(function: str, name: str, given: Any) -> Property:
    if not isinstance(given, dict):
        raise ValueError(f"parameter {name!r} of {function!r} is an object, not {str(given)[:100]!r}")
    text = given.get("type", "")
    if not isinstance(text, str):
        raise ValueError(f"the type of parameter {name!r} of {function!r} is a text, not {str(text)[:100]!r}")
    typed = read_type(text)
    described = given.get("description")
    schema = {**typed.schema, **({"description": described} if isinstance(described, str) and described else {})}
    if "default" not in given:
        return Property(schema, not typed.optional)
    default = as_type(given["default"], typed.schema)
    return Property({**schema, **({} if default is UNFIT else {"default": default})}, required=False)
