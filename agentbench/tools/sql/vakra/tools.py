"""The tools of the public benchmark by its names, arguments and defaults, told in words of our own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.names import getter_name
from agentbench.tools.sql.spec import Universe
from agentbench.tools.sql.vakra import operations
from agentbench.tools.sql.vakra.conditions import filtered
from agentbench.tools.sql.vakra.handles import Session, text_of
from agentbench.tools.sql.vakra.tables import Table
from agentbench.tools.sql.values import shown
from agentbench.types import Observation, ToolSpec

Arguments = dict[str, Any]
Operation = Callable[[Session, Arguments], Observation]
CONDITIONS = (
    *("equal_to", "not_equal_to", "greater_than", "less_than"),
    *("greater_than_equal_to", "less_than_equal_to", "contains", "like"),
)

_TABLE = {"type": "string", "description": "Handle of a table."}
_KEY = {"type": "string", "description": "Key of the table."}
_VALUE = {"type": ["string", "number", "null"], "description": "Value that the key's values are compared with."}
_DISTINCT = {"type": "boolean", "default": False, "description": "Use each value once."}
_LIMIT = {"type": "integer", "default": -1, "description": "Use the first so many values; -1: all."}
_LIST = {"type": "array", "items": {"type": ["string", "number", "boolean", "null"]}}
_OPERAND = {
    "type": ["number", "array"],
    "items": {"type": ["number", "null"]},
    "description": "A number, or a list of numbers.",
}


class _Declared(NamedTuple):
    spec: ToolSpec
    operation: Operation


class VakraTool:
    """One tool over the handles of one episode."""

    __slots__ = ("_declared", "session", "spec")

    def __init__(self, declared: _Declared, session: Session) -> None:
        self.spec = declared.spec
        self.session = session
        self._declared = declared

    def over(self, session: Session) -> VakraTool:
        """The same tool over other handles."""
        return VakraTool(self._declared, session)

    async def call(self, arguments: Arguments) -> Observation:
        """The result as the public benchmark writes it.

        Raises:
            ToolError: unknown handle, key or universe, or values the operation fails on.
        """
        return self._declared.operation(self.session, arguments)


def vakra_slot_filling_tools(database: Database, universes: Sequence[Universe]) -> tuple[Tool, ...]:
    """The nine slot_filling tools of one episode, in the order of the public benchmark."""
    return _episode((*_SLOT_FILLING, _GET_DATA), database, universes)


def vakra_selection_tools(database: Database, universes: Sequence[Universe]) -> tuple[Tool, ...]:
    """The getters of the universes' columns and the 26 selection tools of one episode."""
    return _episode((*_getters(tuple(universes)), *_SELECTION, _GET_DATA), database, universes)


def _episode(declared: Iterable[_Declared], database: Database, universes: Sequence[Universe]) -> tuple[Tool, ...]:
    session = Session(database, tuple(universes))
    return tuple(VakraTool(item, session) for item in declared)


def _declare(name: str, description: str, properties: Mapping[str, Any], operation: Operation) -> _Declared:
    """A tool whose arguments are required unless they have a default."""
    parameters = {
        "type": "object",
        "properties": dict(properties),
        "required": [argument for argument, schema in properties.items() if "default" not in schema],
        "additionalProperties": False,
    }
    return _Declared(ToolSpec(name, description, parameters), operation)


def _choice(values: Sequence[str], description: str) -> dict[str, Any]:
    return {"type": "string", "enum": list(values), "description": description}


def _preset(value: str | bool | int) -> dict[str, Any]:
    """An argument that only has one value, and need not be given."""
    types = {str: "string", bool: "boolean", int: "integer"}
    return {"type": types[type(value)], "enum": [value], "default": value, "description": "Always this."}


def _filter(session: Session, arguments: Arguments, condition: str) -> Observation:
    key = arguments["key_name"]
    table = session.column(arguments["data_label"], key)
    return session.kept("filtered", filtered(table, key, condition, arguments["value"]))


def _sort(session: Session, arguments: Arguments, *, ascending: bool) -> Observation:
    key = arguments["key_name"]
    table = session.column(arguments["data_label"], key)
    return session.kept("sorted", operations.in_order(table, key, ascending=ascending))


def _aggregate(session: Session, arguments: Arguments, operation: str) -> Observation:
    """Without a key, rows are counted."""
    keys = (arguments["key_name"],) if "key_name" in arguments else ()
    table = session.column(arguments["data_label"], *keys)
    return text_of(
        operations.figure(
            _aggregated(table, keys, operation),
            operation,
            distinct=arguments.get("distinct", False),
            limit=int(arguments.get("limit", -1)),
        )
    )


def _aggregated(table: Table, keys: tuple[str, ...], operation: str) -> list[Any]:
    if not keys and operation == "count":
        return table.values(next(iter(table.columns)))
    if not keys or not len(table.rows):
        raise operations.failed(f"{operation} needs a key of a table that has rows")
    return table.values(keys[0])


def _retrieve(session: Session, arguments: Arguments) -> Observation:
    keys = arguments["key_name"]
    table = session.column(arguments["data_label"], *([keys] if isinstance(keys, str) else keys))
    distinct, limit = arguments.get("distinct", False), int(arguments.get("limit", -1))
    return session.kept("retrieved", operations.retrieved(table, keys, distinct=distinct, limit=limit))


def _transform(session: Session, arguments: Arguments) -> Observation:
    options = arguments.get("operation_args")
    match arguments["operation_type"]:
        case "substring":
            given = options or {}
            cut = {"start_index": given.get("start_index", 0), "end_index": given.get("end_index", -1)}
            return _substring(session, {**arguments, **cut})
        case "datetime":
            given = {"pattern": "%Y"} if options is None else options
            if "pattern" not in given:
                raise operations.failed("operation_args has no pattern")
            return _date_parts(session, {**arguments, "datetime_pattern": given["pattern"]})
        case _:
            return _absolute(session, arguments)


def _substring(session: Session, arguments: Arguments) -> Observation:
    key = arguments["key_name"]
    table = session.column(arguments["data_label"], key)
    start, end = int(arguments["start_index"]), int(arguments["end_index"])
    return session.kept("transformed", operations.substring(table, key, start, end))


def _absolute(session: Session, arguments: Arguments) -> Observation:
    key = arguments["key_name"]
    return session.kept("transformed", operations.absolute(session.column(arguments["data_label"], key), key))


def _date_parts(session: Session, arguments: Arguments) -> Observation:
    key = arguments["key_name"]
    table = session.column(arguments["data_label"], key)
    return session.kept("transformed", operations.date_parts(table, key, arguments["datetime_pattern"]))


def _concatenate(session: Session, arguments: Arguments) -> Observation:
    first, second = (session.table(arguments[name]) for name in ("data_label_1", "data_label_2"))
    return session.kept("concatenated", operations.concatenated(first, second))


_GET_DATA = _declare(
    "get_data",
    "Opens a universe of data and gives a handle for its table; handles of another universe are gone then.",
    {"tool_universe_id": {"type": ["string", "null"], "default": None, "description": "Which; none: the open one."}},
    lambda session, a: session.opened(a.get("tool_universe_id")),
)
_CALCULATOR = _declare(
    "Calculator",
    "Calculates with two numbers, or entry by entry with lists of numbers.",
    {
        "input_1": _OPERAND,
        "input_2": _OPERAND,
        "operation": _choice(operations.CALCULATIONS, "What is done with the two."),
    },
    lambda session, a: text_of(operations.calculated(a["input_1"], a["input_2"], a["operation"])),
)
_CONCATENATE = _declare(
    "concatenate_data",
    "Puts the rows of one table after those of another with the same keys.",
    {"data_label_1": _TABLE, "data_label_2": _TABLE},
    _concatenate,
)
_UNIQUE = _declare(
    "select_unique_values",
    "Gives each value of a list once.",
    {"unique_array": {**_LIST, "description": "The list."}},
    lambda session, a: text_of(operations.unique(a["unique_array"])),
)
_SLOT_FILLING = (
    _declare(
        "aggregate_data",
        "Gives one figure over the values of a key.",
        {
            "data_label": _TABLE,
            "key_name": {**_KEY, "default": ""},
            "aggregation_operation": _choice(operations.AGGREGATIONS, "Which figure."),
            "distinct": _DISTINCT,
            "limit": _LIMIT,
        },
        lambda session, a: _aggregate(session, a, a["aggregation_operation"]),
    ),
    _CALCULATOR,
    _CONCATENATE,
    _declare(
        "filter_data",
        "Keeps the rows of a table whose key meets a condition.",
        {"data_label": _TABLE, "key_name": _KEY, "value": _VALUE, "condition": _choice(CONDITIONS, "Which condition.")},
        lambda session, a: _filter(session, a, a["condition"]),
    ),
    _declare(
        "retrieve_data",
        "Takes one or more keys out of a table.",
        {
            "data_label": _TABLE,
            "key_name": {"type": ["string", "array"], "items": {"type": "string"}, "description": "Key, or keys."},
            "distinct": _DISTINCT,
            "limit": _LIMIT,
        },
        _retrieve,
    ),
    _UNIQUE,
    _declare(
        "sort_data",
        "Orders the rows of a table by a key.",
        {
            "data_label": _TABLE,
            "key_name": _KEY,
            "ascending": {"type": "boolean", "default": False, "description": "Smallest first."},
        },
        lambda session, a: _sort(session, a, ascending=a.get("ascending", False)),
    ),
    _declare(
        "transform_data",
        "Changes the values of a key.",
        {
            "data_label": _TABLE,
            "key_name": _KEY,
            "operation_type": _choice(("substring", "abs", "datetime"), "How they are changed."),
            "operation_args": {
                "type": ["object", "null"],
                "default": None,
                "description": "start_index and end_index of a substring, or a date's pattern: %Y, %m or %d.",
                "properties": {
                    "start_index": {"type": "integer"},
                    "end_index": {"type": "integer"},
                    "pattern": {"type": "string"},
                },
            },
        },
        _transform,
    ),
)


def _selecting(condition: str) -> _Declared:
    return _declare(
        f"select_data_{condition}",
        f"Keeps the rows of a table whose key meets the condition {condition}.",
        {"data_label": _TABLE, "key_name": _KEY, "value": _VALUE, "condition": _preset(condition)},
        lambda session, a: _filter(session, a, condition),
    )


def _sorting(direction: str, *, ascending: bool) -> _Declared:
    return _declare(
        f"sort_data_{direction}",
        f"Orders the rows of a table by a key, {direction}.",
        {"data_label": _TABLE, "key_name": _KEY, "ascending": _preset(ascending)},
        lambda session, a: _sort(session, a, ascending=ascending),
    )


def _computing(operation: str) -> _Declared:
    return _declare(
        f"compute_data_{operation}",
        f"Gives the {operation} of the values of a key.",
        {
            "data_label": _TABLE,
            "key_name": {**_KEY, "default": ""},
            "aggregation_operation": _preset(operation),
            "distinct": _DISTINCT,
            "limit": _preset(-1),
        },
        lambda session, a: _aggregate(session, a, operation),
    )


_SELECTION = (
    _CALCULATOR,
    _CONCATENATE,
    _UNIQUE,
    _declare(
        "transform_data_to_substring",
        "Cuts the texts of a key.",
        {
            "data_label": _TABLE,
            "key_name": _KEY,
            "start_index": {"type": "integer", "description": "Where the part begins."},
            "end_index": {"type": "integer", "description": "Where it ends."},
        },
        _substring,
    ),
    _declare(
        "transform_data_to_absolute_value",
        "Drops the sign of the numbers of a key.",
        {"data_label": _TABLE, "key_name": _KEY},
        _absolute,
    ),
    _declare(
        "transform_data_to_datetime_part",
        "Takes one part of the dates of a key.",
        {
            "data_label": _TABLE,
            "key_name": _KEY,
            "datetime_pattern": {"type": "string", "description": "%Y for the year, %m for the month, %d for the day."},
        },
        _date_parts,
    ),
    _declare(
        "truncate",
        "Gives the first values of a list.",
        {
            "truncate_array": {**_LIST, "description": "The list."},
            "n": {"type": "integer", "minimum": 0, "description": "How many."},
        },
        lambda session, a: text_of(a["truncate_array"][: int(min(a["n"], 2**31))]),
    ),
    *(_selecting(condition) for condition in CONDITIONS),
    _sorting("ascending", ascending=True),
    _sorting("descending", ascending=False),
    *(_computing(operation) for operation in operations.AGGREGATIONS),
)


@lru_cache(maxsize=64)
def _getters(universes: tuple[Universe, ...]) -> tuple[_Declared, ...]:
    columns = dict.fromkeys(column.name for universe in universes for column in universe.columns)
    found = {getter_name(column): column for column in columns}
    return tuple(_getter(name, column) for name, column in found.items())


def _getter(name: str, column: str) -> _Declared:
    return _declare(
        name,
        f"Gives the values of {column}.",
        {"data_label": _TABLE},
        lambda session, a: _listed(session.column(a["data_label"], column).values(column)),
    )


def _listed(values: list[Any]) -> Observation:
    return text_of([shown(value) for value in operations.column(values)])
