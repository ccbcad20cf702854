"""Whether a stranger's argument schema can be used at all, found out before the first episode.

An environment checks every call's arguments against the tool's schema. A schema that is itself wrong would end an
episode there, and one that refers to an address elsewhere would have us fetch it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

_REFERENCES = ("$ref", "$dynamicRef")


def schema_problem(schema: Mapping[str, Any]) -> str:
    """What keeps a schema from being used for a tool's arguments, in one line; empty when nothing does.

    Refused are schemas that are no JSON Schema (draft 2020-12), that describe no object, whose references lead outside
    of them or nowhere, that go round in circles, or that hold integers beyond 64 bits. Not found out: a pattern that
    takes for ever on some text, and circles that only certain arguments lead into.
    """
    if schema.get("type") != "object":
        return f"its arguments are of type {schema.get('type')!r}, not 'object'"
    try:
        orjson.dumps(schema)
        Draft202012Validator.check_schema(schema)
        _follow_references(schema)
        list(Draft202012Validator(schema, registry=Registry()).iter_errors({}))
    except SchemaError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        return " ".join(f"{f'{place}: ' if place else ''}{error.message}"[:200].split())
    except Unresolvable as error:
        return f"{error.ref!r} leads outside of it or nowhere"
    except RecursionError:
        return "it refers to itself in a circle"
    except orjson.JSONEncodeError as error:
        return str(error)
    return ""


def _follow_references(schema: Mapping[str, Any]) -> None:
    """Looks up every reference, those of what is referred to as well.

    Raises:
        Unresolvable: one leads to nothing within the schema.
    """
    root = DRAFT202012.create_resource(schema)
    waiting = [(root, Registry().resolver_with_root(root))]
    seen: set[int] = set()
    while waiting:
        resource, resolver = waiting.pop()
        if id(resource.contents) in seen:
            continue
        seen.add(id(resource.contents))
        waiting += [(part, resolver.in_subresource(part)) for part in resource.subresources()]
        for reference in _references(resource.contents):
            found = resolver.lookup(reference)
            waiting.append((DRAFT202012.create_resource(found.contents), found.resolver))


def _references(contents: Any) -> Iterator[str]:
    if isinstance(contents, Mapping):
        yield from (contents[key] for key in _REFERENCES if isinstance(contents.get(key), str))
