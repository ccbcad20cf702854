"""Labels and handles in gold calls resolved to references that can be replayed.

A gold call gets a label (`FILTERED_DF_0`) and later ones say `$FILTERED_DF_0.data_path$`, `$FILTERED_DF_0$` or the bare
label; live tools give handles (`filtered_hero_1`: kind of step, table, how many of that kind so far). Both become
`$var_2.handle$`: what the second gold call of the task brings up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from agentbench.tasks.vakra.dialect import HANDLE_ARGUMENTS, TABLE_ARGUMENTS, Tools, getter_column, in_our_words
from agentbench.tasks.vakra.reading import is_search
from agentbench.tasks.vakra.records import VakraCall
from agentbench.tasks.vakra.universes import INITIALISE
from agentbench.types import CallTools, ToolCall

START_LABEL = "starting_table_var"
_REFERENCE = re.compile(r"\$([^$.]+)((?:\.[^$.]+)*)\$")
_HANDLE = re.compile(r"([a-z]+)_.+_([1-9]\d*)|(?:[a-z]+)_([1-9]\d*)")
_STEPS = {
    "select_data_": "filtered", "filter_data": "filtered", "sort_data": "sorted", "aggregate_data": "aggregated",
    "compute_data_": "aggregated", "transform_data": "transformed", "concatenate_data": "concatenated",
    "select_unique_values": "unique", "truncate": "truncated", "retrieve_data": "retrieved", "get_data": "initial",
    "get_": "retrieved",
}  # fmt: skip
"""First words of handles by how the tool's name begins; the first that fits holds."""


class _Made(NamedTuple):
    """One call of the chain, as later ones may name it."""

    number: int
    call: ToolCall
    label: str
    column: str
    """Under which name a list's values stand in the result; empty for tables and single values."""


def chain(calls: Sequence[VakraCall], tools: Tools) -> tuple[CallTools, ...]:
    """The gold calls of a question over a tool universe, from get_data on, in our words and with our references.

    A name that no earlier call explains stays as it is.
    """
    if not calls or calls[0].name not in (INITIALISE, "get_data"):
        calls = (VakraCall("get_data", {}, START_LABEL), *calls)
    made: list[_Made] = []
    for given in calls:
        for call in in_our_words(given, tools):
            arguments = {key: _resolved(value, key, made) for key, value in call.arguments.items()}
            column = getter_column(call.name, tools) or str(arguments.get("key_name", ""))
            made.append(_Made(len(made) + 1, ToolCall(call.name, arguments), call.label, column))
    return tuple(CallTools((item.call,)) for item in made)


def searches(calls: Iterable[VakraCall], query: str, domain: str) -> tuple[CallTools, ...]:
    """Gold calls of REST endpoints and retrievers; a search without words of its own asks what the user asked."""
    return tuple(CallTools((_search(call, query, domain) if is_search(call) else ToolCall(call.name, call.arguments),))
                 for call in calls)  # fmt: skip


def _search(call: VakraCall, query: str, domain: str) -> ToolCall:
    words = next((call.arguments[key] for key in ("question", "query") if call.arguments.get(key)), "")
    words = query if str(words).strip().upper() in ("", "NONE") else str(words).strip()
    collection = call.arguments.get("collection", call.name.removeprefix("query_"))
    return ToolCall("retrieve_documents", {"collection": domain if is_old(call) else collection, "query": words})


def is_old(call: VakraCall) -> bool:
    """Whether a search is of the form whose name holds more than the collection's: `retriever_clapnq_<domain>`."""
    return call.name.startswith("retriever_")


def _resolved(value: Any, argument: str, made: Sequence[_Made]) -> Any:
    if not isinstance(value, str):
        return value
    match = _REFERENCE.fullmatch(value)
    if match is None and argument not in HANDLE_ARGUMENTS:
        return value
    found = _named(match[1] if match else value, made)
    return value if found is None else f"$var_{found.number}{_path(found, argument)}$"


def _named(name: str, made: Sequence[_Made]) -> _Made | None:
    labelled = next((item for item in reversed(made) if item.label == name), None)
    if labelled is not None:
        return labelled
    if name == START_LABEL:
        return made[0]
    match = _HANDLE.fullmatch(name)
    if match is None:
        return None
    step, number = name.split("_")[0], int(match[2] or match[3])
    alike = [item for item in made if _step(item.call.name) == step]
    if not alike and step == "retrieved":
        alike = list(made[:1])
    return alike[number - 1] if number <= len(alike) else None


def _step(tool: str) -> str:
    return next((step for begin, step in _STEPS.items() if tool.startswith(begin)), "result")


def _path(found: _Made, argument: str) -> str:
    """Where in a result the thing stands that the argument wants: a table's handle, a list, or one value."""
    call = found.call
    operation = str(call.arguments.get("aggregation_operation", call.name.removeprefix("compute_data_")))
    step = _step(call.name)
    if call.name == "Calculator" or (step == "aggregated" and operation not in ("argmin", "argmax")):
        return ".result"
    if step == "retrieved" and argument not in TABLE_ARGUMENTS[:3]:
        return f".{found.column}" + ("" if argument == "unique_array" else ".0")
    return ".handle"
