"""Types as Python programmers write them, `List[int]` or `str, optional`, as JSON Schema."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

_PLAIN = {
    "str": "string",
    "string": "string",
    "int": "integer",
    "integer": "integer",
    "float": "number",
    "number": "number",
    "complex": "number",
    "bool": "boolean",
    "boolean": "boolean",
    "dict": "object",
    "object": "object",
    "none": "null",
    "list": "array",
    "array": "array",
    "tuple": "array",
    "set": "array",
    "sequence": "array",
    "iterable": "array",
}
_OPTIONAL = "optional"
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}

UNFIT = object()
"""A value that a type cannot have."""


class Typed(NamedTuple):
    """What a type says."""

    schema: dict[str, Any]
    """JSON Schema; without `type` where anything is allowed, or the type is none that is known here."""
    optional: bool


class Property(NamedTuple):
    """A parameter."""

    schema: dict[str, Any]
    required: bool


def read_type(text: str) -> Typed:
    """The schema of a type; one that cannot be read allows anything, as `Callable[[float], float]` has to.

    Optional are `str, optional` and `Optional[str]`.
    """
    names = [part.strip() for part in text.rsplit(",", 1)]
    optional = len(names) == 2 and names[1].lower().rstrip(".") == _OPTIONAL
    wanted = names[0] if optional else text.strip()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)  # a text of somebody's file would warn on our terminal
            tree = ast.parse(wanted, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Typed({}, optional)
    match tree:
        case ast.Subscript(value=ast.Name(id=name), slice=inner) if name.lower() == _OPTIONAL:
            return Typed(_schema(inner), True)
    return Typed(_schema(tree), optional)


def as_type(value: Any, schema: dict[str, Any]) -> Any:
    """A value as a schema of one plain type has it: a text that spells a number, a boolean or a list becomes that.

    `UNFIT` where it is none of that type; any value is as it should be where the schema names no type, or several.
    """
    kind = schema.get("type")
    if not isinstance(kind, str) or _is(value, kind):
        return value
    if not isinstance(value, str):
        return UNFIT
    try:
        read = orjson.loads(value.lower() if kind == "boolean" else value)
    except orjson.JSONDecodeError:
        return UNFIT
    return read if _is(read, kind) else UNFIT


def object_schema(properties: Mapping[str, Property]) -> dict[str, Any]:
    """The schema of a function's parameters."""
    required = [name for name, each in properties.items() if each.required]
    schemas = {name: each.schema for name, each in properties.items()}
    return {"type": "object", "properties": schemas, **({"required": required} if required else {})}


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _JSON_TYPES.get(kind, object)) and (kind == "boolean" or not isinstance(value, bool))


def _schema(tree: ast.expr) -> dict[str, Any]:
    match tree:
        case ast.Name(id=name):
            kind = _PLAIN.get(name.lower())
            return {"type": kind} if kind else {}
        case ast.Constant(value=None):
            return {"type": "null"}
        case ast.Subscript(value=ast.Name(id=name), slice=inner):
            return _of(name.lower(), inner)
        case ast.BinOp(op=ast.BitOr(), left=left, right=right):
            return _either([_schema(left), _schema(right)])
    return {}


def _of(name: str, inner: ast.expr) -> dict[str, Any]:
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    match name:
        case "list" | "set" | "sequence" | "iterable":
            return _list(_schema(inner))
        case "tuple":
            items = [_schema(part) for part in parts]
            return _list(items[0] if items and all(item == items[0] for item in items) else {})
        case "dict":
            return {"type": "object"}
        case "union":
            return _either([_schema(part) for part in parts])
        case "optional":
            return _either([_schema(inner), {"type": "null"}])
        case "literal":
            values = [part.value for part in parts if isinstance(part, ast.Constant)]
            return {"enum": values}
    return {}


def _list(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item} if item else {"type": "array"}


def _either(choices: list[dict[str, Any]]) -> dict[str, Any]:
    if not all(choices):
        return {}
    kinds = list(dict.fromkeys(choice["type"] for choice in choices if choice.keys() == {"type"}))
    return {"type": kinds[0] if len(kinds) == 1 else kinds} if len(kinds) == len(choices) else {"anyOf": choices}
