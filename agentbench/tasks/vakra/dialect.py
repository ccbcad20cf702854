"""Gold calls of VAKRA's releases as our tools take them; most need nothing.

Older gold says `data_source` for `data_label`, spells columns with other capitals, counts the column `*` and cuts
texts at the end -1, which stands for no end. A getter with `n` is a `truncate` before the getter; columns retrieved
together are retrieved one after the other. Calls without a counterpart stay as they are: playing them shows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from agentbench.tasks.vakra.records import VakraCall
from agentbench.tasks.vakra.universes import INITIALISE

TABLE_ARGUMENTS = ("data_label", "data_label_1", "data_label_2", "truncate_array")
HANDLE_ARGUMENTS = (*TABLE_ARGUMENTS, "unique_array", "input_1", "input_2")
"""Arguments in which a bare name may be a label or handle."""
_RENAMED = {
    "data_source": "data_label",
    "data": "data_label",
    "data_source_1": "data_label_1",
    "data_source_2": "data_label_2",
    "data_1": "data_label_1",
    "data_2": "data_label_2",
}


class Tools(NamedTuple):
    """What a gold chain of capability 1 is played on."""

    universe: str
    columns: Sequence[str]
    names: Collection[str]


def in_our_words(call: VakraCall, tools: Tools) -> tuple[VakraCall, ...]:
    """The call, or the calls that do the same one after the other; the last one gives its result."""
    if call.name in (INITIALISE, "get_data"):
        return (dataclasses.replace(call, name="get_data", arguments={"tool_universe_id": tools.universe}),)
    arguments = {
        _RENAMED.get(key, key): value for key, value in call.arguments.items() if value is not None or key == "value"
    }
    column = getter_column(call.name, tools)
    if column is not None:
        return _getter(call, arguments, column, tools)
    if call.name == "truncate" and "data_label" in arguments:
        arguments["truncate_array"] = arguments.pop("data_label")
    arguments = _without_open_end(arguments)
    if "key_name" in arguments:
        arguments["key_name"] = _column(arguments["key_name"], tools)
    keys = arguments.get("key_name")
    if call.name == "retrieve_data" and isinstance(keys, list) and keys:
        return tuple(VakraCall(call.name, {**arguments, "key_name": key}, call.label) for key in keys)
    return (VakraCall(call.name, arguments, call.label),)


def getter_column(name: str, tools: Tools) -> str | None:
    """The column a getter's name speaks of, whatever its capitals; `None` for other tools."""
    if not name.startswith("get_"):
        return None
    for form in range(len(_getter_names(""))):
        for column in tools.columns:
            if _getter_names(column)[form].lower() == name.lower():
                return column
    return None


def _getter_names(column: str) -> tuple[str, ...]:
    """What a column's getter may be called, here and there; the plural first."""
    slug = "".join(char if char.isascii() and char.isalnum() else " " for char in column)
    slug = "_".join(slug.split())
    return (f"get_{column}s", f"get_{slug}s", f"get_{slug[:59]}s", f"get_{column}", f"get_{slug}", f"get_{slug}_values")


def _getter(call: VakraCall, arguments: dict[str, Any], column: str, tools: Tools) -> tuple[VakraCall, ...]:
    name = next((name for name in _getter_names(column) if name in tools.names), call.name)
    label, count = arguments.get("data_label"), arguments.get("n", -1)
    if not isinstance(count, int) or count < 1:
        return (VakraCall(name, {"data_label": label}, call.label),)
    first = f"{call.label or name} first {count}"
    cut = VakraCall("truncate", {"truncate_array": label, "n": count}, first)
    return (cut, VakraCall(name, {"data_label": first}, call.label))


def _without_open_end(arguments: dict[str, Any]) -> dict[str, Any]:
    inner = arguments.get("operation_args")
    if isinstance(inner, Mapping):
        return {**arguments, "operation_args": {key: value for key, value in inner.items() if not _open(key, value)}}
    return {key: value for key, value in arguments.items() if not _open(key, value)}


def _open(key: str, value: Any) -> bool:
    return key == "end_index" and value in (-1, None)


def _column(key: Any, tools: Tools) -> Any:
    """The column's own spelling; of a list of one the column, of `*` the empty name of all rows."""
    if isinstance(key, list):
        columns = [_column(item, tools) for item in key]
        return columns[0] if len(columns) == 1 else columns
    if key == "*":
        return ""
    same = [column for column in tools.columns if column.lower() == str(key).lower()]
    return key if key in tools.columns or not same else same[0]
