"""NESTFUL's sequences of calls, as questions whose calls are all said at once.

A part of the data are two files: `<name>-data.json`, a list of `{"input", "output": [{name, arguments, label}]}`, and
`<name>-spec.json`, the functions. Arguments refer to results of earlier calls by label: `$var1.skyId$` is the field
`skyId` of what the call labelled `var1` gives. Nothing is run here, so the references are what is to be written; what
functions give stands at the end of their descriptions, and a hint before the question says how it is referred to.

Departures from the data: the pseudo-function `var_result` at the end of each sequence, which names what is shown to
the user, is left out; gold arguments that spell a number, a boolean or a list for a parameter of that type are read as
that, as agents keep to the declared types. Sequences are left out that call a function which the part does not declare,
or that label calls otherwise than by their places.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.calls.questions import Question, Questions, sorted_out
from agentbench.tasks.calls.types import UNFIT, Property, as_type, object_schema, read_type
from agentbench.types import ToolCall, ToolKind, ToolSpec

RESULT = "var_result"
HINT = (
    "Hint: say the calls in the order in which they are to be run. Where an argument is a result of an earlier one of "
    "your calls, write $var1.field$ with the number of that call, counted from 1, and the name of the field, or $var1$ "
    "for the whole result."
)

_DATA, _SPEC = "-data.json", "-spec.json"
_PARAMETERS = ("query_parameters", "path_parameters", "parameters", "arguments")
_CHOICES = ("enum", "allowed_values", "possible_values")
_DEFAULTS = ("default", "default_value")
_NO_TYPE = "string"

T = TypeVar("T")


def read_nestful(path: Path) -> Questions:
    """All sequences of a data file, or of all that are below a folder.

    Raises:
        PreflightError: there is none, or a file cannot be read.
        DataError: a file is not as described above; names it and the entry.
    """
    files = sorted(path.rglob(f"*{_DATA}")) if path.is_dir() else [path]
    if not files or not all(file.name.endswith(_DATA) for file in files):
        raise PreflightError(f"env.file: no file named …{_DATA} at {str(path)!r}", "name the folder of NESTFUL's data")
    return sorted_out((question for file in files for question in _part(file)), path)


def _part(file: Path) -> Iterator[Question]:
    part = file.name.removesuffix(_DATA)
    functions = dict(_entries(file.with_name(part + _SPEC), _tool))
    specs = tuple(functions.values())
    draft = Question("", f"nestful-{part}", "", specs, (), HINT)
    sequences = _entries(file, lambda item: _sequence(item, functions, draft))
    yield from (found._replace(id=f"{part}-{number}") for number, found in enumerate(sequences, 1))


def _entries(path: Path, read: Callable[[Any], T]) -> Iterator[T]:
    try:
        items = orjson.loads(path.read_bytes())
    except OSError as failure:
        raise PreflightError(f"{str(path)!r} cannot be read: {failure.strerror}", "correct env.file") from None
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"no valid JSON: {error.msg}", error.lineno) from None
    if not isinstance(items, list):
        raise DataError(path, f"it holds a list, not {type(items).__name__}")
    for number, item in enumerate(items, 1):
        try:
            yield read(item)
        except ValueError as error:
            raise DataError(path, f"entry {number}: {error}") from None


def _sequence(item: Any, functions: Mapping[str, ToolSpec], draft: Question) -> Question:
    match item:
        case {"input": str(query), "output": list(calls)}:
            made = [_call(each, functions) for each in calls]
            shown = tuple(call for call in made if call.name != RESULT)
            labels = [each.get("label") for each in calls[: len(shown)]]
            in_order = labels == [f"var{place}" for place in range(1, len(shown) + 1)]
            fault = "" if in_order else "calls are labelled otherwise than by their places"
            return draft._replace(query=query, calls=shown, fault=fault)
    raise ValueError(f"a sequence is {{input, output}}, not {str(item)[:100]!r}")


def _call(item: Any, functions: Mapping[str, ToolSpec]) -> ToolCall:
    match item:
        case {"name": str(name), "arguments": dict(arguments)}:
            schemas = functions[name].parameters["properties"] if name in functions else {}
            return ToolCall(name, {key: _typed(value, schemas.get(key, {})) for key, value in arguments.items()})
    raise ValueError(f"a call in 'output' is {{name, arguments, label}}, not {str(item)[:100]!r}")


def _typed(value: Any, schema: dict[str, Any]) -> Any:
    """A gold argument in its parameter's type, where it can be; references stay what they are."""
    typed = as_type(value, schema)
    return value if typed is UNFIT else typed


def _tool(item: Any) -> tuple[str, ToolSpec]:
    match item:
        case {"name": str(name), "description": str(described), "output_parameters": dict(given)}:
            parameters = next((item[key] for key in _PARAMETERS if key in item), {})
            if not isinstance(parameters, dict):
                raise ValueError(f"the parameters of {name!r} are an object, not {str(parameters)[:100]!r}")
            properties = {key: _property(name, key, value) for key, value in parameters.items()}
            gives = f" Gives: {', '.join(given)}." if given else ""
            return name, ToolSpec(name, described + gives, object_schema(properties), ToolKind.FUNCTION)
    raise ValueError(f"a function is {{name, description, output_parameters, …}}, not {str(item)[:100]!r}")


def _property(function: str, name: str, given: Any) -> Property:
    if not isinstance(given, dict):
        raise ValueError(f"parameter {name!r} of {function!r} is an object, not {str(given)[:100]!r}")
    kind = str(given.get("type", _NO_TYPE)).split(" ")[0].lower()
    schema = dict(read_type("string" if kind in ("enum", "date") else kind).schema)
    choices = next((given[key] for key in _CHOICES if isinstance(given.get(key), list) and given[key]), None)
    if choices and schema.get("type") == "string":
        schema["enum"] = choices
    if given.get("description"):
        schema["description"] = str(given["description"])
    default = as_type(next((given[key] for key in _DEFAULTS if key in given), UNFIT), schema)
    if default is not UNFIT:
        schema["default"] = default
    return Property(schema, required=given.get("required") is True)
