"""Schemas of an OpenAPI document as JSON Schema that stands for itself.

Local references are filled in, and what OpenAPI 3.0 says differently (`nullable`, exclusive limits as booleans) is said
in JSON Schema's way. What refers to itself cannot be written out and is refused, and so is what grows too large.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

MAX_NODES = 20_000
"""Most values one operation may grow to once its references are filled in."""
MAX_DEPTH = 100
"""Most levels of lists and objects within each other."""
_ELSEWHERE = ("$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor")
"""Keywords that make a reference depend on more than the document."""


class Unreadable(Exception):
    """What is wrong with a part of a document, in one line."""


class Resolver:
    """Fills in references within one document, for one operation: it counts what it writes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self._nodes = 0

    def resolved(self, value: Any) -> Any:
        """The value with every reference replaced by what it stands for; members beside a reference win.

        Raises:
            Unreadable: a reference is not local, finds nothing, or leads back to itself; all is too large or deep.
        """
        return self._filled(value, (), MAX_DEPTH)

    def _filled(self, value: Any, within: tuple[str, ...], depth: int) -> Any:
        self._nodes += 1
        if depth == 0:
            raise Unreadable(f"it goes more than {MAX_DEPTH} levels deep")
        if self._nodes > MAX_NODES:
            raise Unreadable(f"it grows to more than {MAX_NODES:,} values once references are filled in")
        match value:
            case {"$ref": str(reference), **beside}:
                if reference in within:
                    raise Unreadable(f"{reference!r} refers to itself")
                found = self._filled(self._found(reference), (*within, reference), depth - 1)
                return (
                    {**found, **self._filled(beside, within, depth - 1)}
                    if isinstance(found, dict) and beside
                    else found
                )
            case dict():
                return {key: self._filled(item, within, depth - 1) for key, item in value.items()}
            case list():
                return [self._filled(item, within, depth - 1) for item in value]
            case _:
                return value

    def _found(self, reference: str) -> Any:
        if not reference.startswith("#/"):
            raise Unreadable(f"the reference {reference!r} leads out of the document")
        found: Any = self._document
        for part in reference[2:].split("/"):
            key = unquote(part).replace("~1", "/").replace("~0", "~")
            try:
                found = found[int(key)] if isinstance(found, list) else found[key]
            except (KeyError, IndexError, ValueError, TypeError):
                raise Unreadable(f"the reference {reference!r} finds nothing at {key!r}") from None
        return found


def json_schema(schema: Any) -> Any:
    """A schema without references, in the words of draft 2020-12.

    Raises:
        Unreadable: a keyword points somewhere else.
    """
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise Unreadable(f"a schema is an object, not {schema!r:.80}")
    for keyword in _ELSEWHERE:
        if keyword in schema:
            raise Unreadable(f"the keyword {keyword!r} is not supported")
    told = {key: _part(key, value) for key, value in schema.items() if key != "nullable"}
    for limit, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if isinstance(told.get(exclusive), bool) and told.pop(exclusive) and limit in told:
            told[exclusive] = told.pop(limit)
    return _nullable(told) if schema.get("nullable") is True else told


_SCHEMAS_BY_NAME = frozenset({"properties", "patternProperties", "dependentSchemas", "$defs"})
_SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset({"items", "not", "if", "then", "else", "contains", "propertyNames", "additionalProperties"})


def _part(keyword: str, value: Any) -> Any:
    if keyword in _SCHEMAS_BY_NAME and isinstance(value, dict):
        return {name: json_schema(item) for name, item in value.items()}
    if keyword in _SCHEMA_LISTS and isinstance(value, list):
        return [json_schema(item) for item in value]
    return json_schema(value) if keyword in _SCHEMAS else value


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(schema.get("type"), str):
        return schema
    enum = {"enum": [*schema["enum"], None]} if isinstance(schema.get("enum"), list) else {}
    return {**schema, "type": [schema["type"], "null"], **enum}
