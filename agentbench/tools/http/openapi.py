"""OpenAPI 3.x documents as endpoints, and endpoints as the shape in which others publish tool lists.

GET and POST become tools, other methods are left out: tools look things up. Path and query parameters become one
argument each, and so does a JSON body as a whole. Optional headers and cookies are never sent; an operation that
cannot be called without them is refused, as are ways of writing lists and objects into a URL other than the default.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from agentbench.errors import DataError
from agentbench.tools.http.schemas import Resolver, Unreadable, json_schema
from agentbench.tools.http.spec import HttpEndpoint, Method, Place, Slot
from agentbench.types import ToolSpec

MAX_NAME_CHARS = 64
"""Longest tool name that model servers accept."""
_STYLES = {Place.PATH: "simple", Place.QUERY: "form"}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_JSON = re.compile(r"application/(json|[\w.+-]+\+json)\s*(;.*)?", re.IGNORECASE)


def read_openapi(document: Mapping[str, Any], place: str) -> tuple[HttpEndpoint, ...]:
    """The GET and POST operations of an OpenAPI 3.x document, in its order; `place` names the document in errors.

    A tool is called as its `operationId`, else after method and path; names are made unique and at most 64 characters
    long.

    Raises:
        DataError: the document is no OpenAPI 3.x, has no such operation, or has one that cannot be called.
    """
    version, paths = document.get("openapi"), document.get("paths")
    if not isinstance(version, str) or not version.startswith("3."):
        raise DataError(place, f"no OpenAPI 3 document: its version is {version!r:.80}", next_step="convert it first")
    if not isinstance(paths, Mapping):
        raise DataError(place, "the OpenAPI document has no paths")
    found: dict[str, HttpEndpoint] = {}
    for operation in _operations(document, paths, place):
        try:
            endpoint = _endpoint(operation, document, found)
        except Unreadable as error:
            problem = f"{operation.method} {operation.path}: {error}"
            raise DataError(place, problem, next_step="leave the operation out of the document") from error
        found[endpoint.name] = endpoint
    if not found:
        raise DataError(place, "the OpenAPI document has no GET or POST operation")
    return tuple(found.values())


def published_spec(endpoint: HttpEndpoint) -> ToolSpec:
    """An endpoint as the public benchmark lists it: of each parameter its type and description, and nothing else.

    With `tool_list_checksum` this tells whether a document is the one its checksums were made from. What stands in a
    type's place where there are several is `string`, as there.
    """
    schema = endpoint.parameters
    properties = {name: _published(schema["properties"][name], slot) for name, slot in endpoint.slots.items()}
    parameters = {"type": "object", "properties": properties, "required": schema["required"]}
    return ToolSpec(endpoint.name, endpoint.description, parameters)


def _published(schema: Any, slot: Slot) -> Any:
    if slot.place is Place.BODY:
        return schema
    return {"type": schema.get("type", "string"), "description": schema.get("description", "")}


class _Operation(NamedTuple):
    method: Method
    path: str
    item: Mapping[str, Any]
    """What the path says for all its operations."""
    content: Mapping[str, Any]


class _Argument(NamedTuple):
    slot: Slot
    schema: Any
    required: bool


def _operations(document: Mapping[str, Any], paths: Mapping[str, Any], place: str) -> Iterator[_Operation]:
    for path, item in paths.items():
        try:
            whole = Resolver(document).resolved({"$ref": item["$ref"]}) if "$ref" in item else item
        except (Unreadable, TypeError) as error:
            raise DataError(place, f"path {path!r:.200}: {error}") from error
        if not isinstance(whole, Mapping) or not path.startswith("/"):
            raise DataError(place, f"path {path!r:.200} does not begin with a slash, or holds no operations")
        for method in Method:
            content = whole.get(method.lower())
            if isinstance(content, Mapping):
                yield _Operation(method, path, whole, content)


def _endpoint(operation: _Operation, document: Mapping[str, Any], taken: Mapping[str, object]) -> HttpEndpoint:
    arguments = _arguments(operation, Resolver(document))
    parameters = {
        "type": "object",
        "properties": {name: argument.schema for name, argument in arguments.items()},
        "required": [name for name, argument in arguments.items() if argument.required],
        "additionalProperties": False,
    }
    try:
        Draft202012Validator.check_schema(parameters)
    except SchemaError as error:
        raise Unreadable(f"its schema is none: {error.message[:200]}") from error
    return HttpEndpoint(
        _name(operation, taken),
        _description(operation),
        operation.method,
        operation.path,
        parameters,
        {name: argument.slot for name, argument in arguments.items()},
    )


def _arguments(operation: _Operation, resolver: Resolver) -> dict[str, _Argument]:
    found = [*_parameters(operation, resolver), *_body(operation, resolver)]
    found.sort(key=lambda argument: list(Place).index(argument.slot.place))
    wanted = _PLACEHOLDER.findall(operation.path)
    given = [argument.slot.name for argument in found if argument.slot.place is Place.PATH]
    if sorted(set(wanted)) != sorted(given):
        raise Unreadable(f"the path wants {sorted(set(wanted))} and the parameters are {sorted(given)}")
    arguments: dict[str, _Argument] = {}
    for argument in found:
        name = argument.slot.name
        arguments[name if name not in arguments else f"{name}_{argument.slot.place}"] = argument
    if len(arguments) != len(found):
        raise Unreadable("two of its parameters have the same name")
    return arguments


def _parameters(operation: _Operation, resolver: Resolver) -> Iterator[_Argument]:
    raw = [*operation.item.get("parameters", ()), *operation.content.get("parameters", ())]
    by_key = {}
    for parameter in (resolver.resolved(item) for item in raw):
        if not isinstance(parameter, dict) or not isinstance(parameter.get("name"), str):
            raise Unreadable("a parameter has no name")
        by_key[parameter["name"], parameter.get("in")] = parameter
    for (name, where), parameter in by_key.items():
        if where in ("path", "query"):
            yield _argument(name, Place(where), parameter)
        elif parameter.get("required") is True:
            raise Unreadable(f"it demands {name!r:.80} in {where!r:.80}, which is never sent")


def _argument(name: str, place: Place, parameter: dict[str, Any]) -> _Argument:
    if "schema" not in parameter:
        raise Unreadable(f"the parameter {name!r:.80} has no schema")
    schema = json_schema(parameter["schema"])
    if isinstance(schema, bool):
        schema = {}
    types = schema.get("type", "string")
    if not isinstance(types, str | list):
        raise Unreadable(f"the parameter {name!r:.80} is of the type {types!r:.80}")
    if "object" in types or (place is Place.PATH and "array" in types):
        raise Unreadable(f"the parameter {name!r:.80} holds {types!r:.80}, which has no one place in a URL")
    if parameter.get("style", _STYLES[place]) != _STYLES[place] or (
        "array" in types and parameter.get("explode") is False
    ):
        raise Unreadable(f"the parameter {name!r:.80} is written into the URL in a way that is not supported")
    if isinstance(parameter.get("description"), str):
        schema = {**schema, "description": parameter["description"]}
    return _Argument(Slot(place, name), schema, place is Place.PATH or parameter.get("required") is True)


def _body(operation: _Operation, resolver: Resolver) -> Iterator[_Argument]:
    body = resolver.resolved(operation.content.get("requestBody"))
    if not isinstance(body, dict):
        return
    required = body.get("required") is True
    content = body.get("content")
    media = content if isinstance(content, dict) else {}
    schema = next((item["schema"] for kind, item in media.items() if _JSON.fullmatch(kind) and "schema" in item), None)
    if operation.method is Method.POST and schema is not None:
        yield _Argument(Slot(Place.BODY, "body"), json_schema(schema), required)
    elif required:
        raise Unreadable("it demands a body that is not described as JSON")


def _description(operation: _Operation) -> str:
    told = [operation.content.get(key) for key in ("summary", "description")]
    lines = dict.fromkeys(text.strip() for text in told if isinstance(text, str) and text.strip())
    return "\n".join(lines) or f"{operation.method} {operation.path}"


def _name(operation: _Operation, taken: Mapping[str, object]) -> str:
    identifier = operation.content.get("operationId")
    named = identifier if isinstance(identifier, str) else f"{operation.method.lower()}_{operation.path.strip('/')}"
    name = re.sub(r"[^a-zA-Z0-9_-]+", "_", named).strip("_") or "operation"
    if len(name) > MAX_NAME_CHARS:
        name = f"{name[: MAX_NAME_CHARS - 7]}_{hashlib.sha256(named.encode()).hexdigest()[:6]}"
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name[: MAX_NAME_CHARS - len(str(number)) - 1]}_{number}"
    return free
