"""YAML that somebody else wrote, read without trusting its size.

An alias costs a few bytes and stands for all it names: nine levels of nine make a gigabyte ("billion laughs"). So the
events are counted before anything is built of them, an alias as often as what it stands for, and nesting has a limit.
A key that stands twice is refused: YAML forbids it and PyYAML keeps the last one. Tags that make Python objects are
unknown to the safe loader.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

DEEPEST = 100
"""Levels of lists and mappings."""
MOST_VALUES = 2_000_000
"""Values, keys included, once every alias is written out."""


def read_yaml(text: str | bytes) -> Any:
    """The value of a YAML text.

    Raises:
        ValueError: it is no YAML, is too large or too deeply nested, or has a key twice; in one line.
    """
    try:
        _measure(yaml.parse(text, Loader=yaml.CSafeLoader))
        return yaml.load(text, _Loader)
    except (yaml.YAMLError, UnicodeError, ValueError, TypeError, RecursionError) as error:
        raise ValueError(" ".join(str(error).split())[:300] or type(error).__name__) from error


class _Loader(yaml.CSafeLoader):
    """The safe loader, less what it lets pass silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """A mapping.

        Raises:
            yaml.YAMLError: a key stands twice.
        """
        scalars = [(key.tag, key.value) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        if len(set(scalars)) < len(scalars):
            twice = next(value for tag, value in scalars if scalars.count((tag, value)) > 1)
            raise yaml.YAMLError(f"line {node.start_mark.line + 1}: the key {twice[:80]!r} stands there twice")
        return super().construct_mapping(node, deep)


def _measure(events: Iterator[yaml.Event]) -> None:
    """Lets texts of a bearable size pass."""
    sizes: dict[str, int] = {}
    anchors: list[str | None] = [None]
    counts = [0]
    for event in events:
        match event:
            case yaml.CollectionStartEvent():
                counts.append(1)
                anchors.append(event.anchor)
            case yaml.CollectionEndEvent():
                size = counts.pop()
                counts[-1] += size
                if anchor := anchors.pop():
                    sizes[anchor] = size
            case yaml.AliasEvent():
                if event.anchor not in sizes:
                    raise ValueError(f"the alias {event.anchor[:80]!r} stands within what it names, or names nothing")
                counts[-1] += sizes[event.anchor]
            case yaml.ScalarEvent():
                counts[-1] += 1
                if event.anchor:
                    sizes[event.anchor] = 1
        if len(counts) - 1 > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        if counts[-1] > MOST_VALUES:
            raise ValueError(f"it grows to more than {MOST_VALUES:,} values once its aliases are written out")
