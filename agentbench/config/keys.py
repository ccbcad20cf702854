"""Which dotted keys a schema knows, for error messages that help."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Known(NamedTuple):
    """One key a schema knows."""

    path: str
    choice: str | None
    """`group=kind` of the alternative it belongs to; `None` where it always exists."""


def known_keys(schema: type, prefix: str = "", choice: str | None = None) -> Iterator[Known]:
    """Every key of a configuration dataclass, those of all its alternatives included."""
    hints = typing.get_type_hints(schema)
    for field in dataclasses.fields(schema):
        path = f"{prefix}{field.name}"
        yield Known(path, choice)
        parts = typing.get_args(hints[field.name]) or (hints[field.name],)
        schemas = [part for part in parts if isinstance(part, type) and dataclasses.is_dataclass(part)]
        for part in schemas:
            yield from known_keys(part, f"{path}.", f"{path}={kind_of(part)}" if len(schemas) > 1 else choice)


def kind_of(schema: type) -> str:
    """The word that chooses this alternative of a union."""
    return next(str(field.default) for field in dataclasses.fields(schema) if field.name == "kind")


def leaves(data: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a nested configuration that is no mapping and no list, with its dotted key."""
    match data:
        case Mapping():
            for key, value in data.items():
                yield from leaves(value, f"{prefix}.{key}" if prefix else str(key))
        case list() | tuple():
            for index, value in enumerate(data):
                yield from leaves(value, f"{prefix}.{index}")
        case _:
            yield prefix, data
