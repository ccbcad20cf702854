"""What slot_filling and selection share: how a tool over handles is declared, and the four tools both have."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from agentbench.tools import Tool
from agentbench.tools.sql import operations
from agentbench.tools.sql.calculator import OPERATIONS
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.handles import Session
from agentbench.tools.sql.relations import Relation, base_relation
from agentbench.tools.sql.spec import Universe
from agentbench.tools.sql.values import observation
from agentbench.types import Observation, ToolSpec

Arguments = dict[str, Any]
Operation = Callable[[Session, Arguments], Awaitable[dict[str, Any]]]
"""What a tool does with an episode's handles and its arguments; the result is the observation's JSON."""

LABEL = {"type": "string", "description": "Handle of the table to work on, as an earlier result named it."}
KEY = {"type": "string", "description": "Name of one of the table's columns."}
VALUE = {
    "type": ["string", "number", "boolean", "null"],
    "description": "Value to compare the column with; null, with equal_to or not_equal_to, is a missing one.",
}
DISTINCT = {"type": "boolean", "default": False, "description": "Leave out repeated and missing values."}
KEY_OR_ROWS = {"type": "string", "description": "Name of one of the table's columns; an empty one to count records."}
LIMIT = {"type": "integer", "minimum": -1, "default": -1, "description": "Use only the first so many values; -1: all."}
ARRAY = {
    "type": ["string", "array"],
    "items": {"type": ["string", "number", "boolean", "null"]},
}
"""A list handle, or the values themselves; a tool says what for."""
START = {"type": "integer", "minimum": 0, "description": "First character kept, counted from 0."}
END = {"type": "integer", "minimum": 0, "description": "First character left out again; without it the rest is kept."}
PATTERN = {
    "type": "string",
    "enum": list(operations.DATETIME_PATTERNS),
    "description": "Which part: year, month, day, hour, minute, second, or weekday (0 is Sunday).",
}


class Declared(NamedTuple):
    """A tool before there is an episode."""

    spec: ToolSpec
    operation: Operation


class HandleTool:
    """One tool over the handles of one episode."""

    __slots__ = ("_operation", "session", "spec")

    def __init__(self, spec: ToolSpec, operation: Operation, session: Session) -> None:
        self.spec = spec
        self.session = session
        self._operation = operation

    def over(self, session: Session) -> HandleTool:
        """The same tool over other handles."""
        return HandleTool(self.spec, self._operation, session)

    async def call(self, arguments: Arguments) -> Observation:
        """The operation's result as JSON.

        Raises:
            ToolError: unknown handle or column, values that do not fit, or a statement the database refuses.
        """
        return observation(await self._operation(self.session, arguments))


def episode_tools(
    declared: Iterable[Declared], database: Database, universes: Sequence[Universe], shown_values: int
) -> tuple[Tool, ...]:
    """The declared tools over a handle table of their own, empty at first."""
    session = Session(database, _relations(tuple(universes)), shown_values)
    return tuple(HandleTool(spec, operation, session) for spec, operation in declared)


def declare(
    name: str, description: str, properties: Mapping[str, Any], operation: Operation, *, optional: Sequence[str] = ()
) -> Declared:
    """A tool whose arguments are all required but the optional ones."""
    parameters = {
        "type": "object",
        "properties": dict(properties),
        "required": [argument for argument in properties if argument not in optional],
        "additionalProperties": False,
    }
    return Declared(ToolSpec(name, description, parameters), operation)


def limit_of(arguments: Arguments) -> int | None:
    """The `limit` among a call's arguments; `None` where there is none."""
    limit = arguments.get("limit", -1)
    return None if limit < 0 else limit


def shared(universes: Sequence[Universe]) -> tuple[Declared, ...]:
    """get_data, concatenate_data, select_unique_values, Calculator."""
    return (_get_data(universes), _CONCATENATE, _UNIQUE, _CALCULATOR)


@lru_cache(maxsize=64)
def _relations(universes: tuple[Universe, ...]) -> dict[str, Relation]:
    return {universe.id: base_relation(universe) for universe in universes}


def _get_data(universes: Sequence[Universe]) -> Declared:
    listed = "\n".join(f"- {universe.id}: {universe.description}" for universe in universes)
    names = [universe.id for universe in universes]
    only = {"default": names[0]} if len(names) == 1 else {}
    return declare(
        "get_data",
        f"Opens a table and gives a handle for it, its number of records and its columns. There is:\n{listed}",
        {"tool_universe_id": {"type": "string", "enum": names, "description": "Which data to open.", **only}},
        lambda session, a: operations.get_data(session, a.get("tool_universe_id", names[0])),
        optional=("tool_universe_id",) if only else (),
    )


_CONCATENATE = declare(
    "concatenate_data",
    "Puts the records of two tables with the same columns, or the entries of two lists, one after the other.",
    {
        "data_label_1": {"type": "string", "description": "Handle of what comes first."},
        "data_label_2": {"type": "string", "description": "Handle of what comes second."},
    },
    lambda session, a: operations.concatenate(session, a["data_label_1"], a["data_label_2"]),
)
_UNIQUE = declare(
    "select_unique_values",
    "Gives each different value of a list once, in the order of first appearance.",
    {"unique_array": {**ARRAY, "description": "Handle of a list, or the values themselves."}},
    lambda session, a: operations.unique(session, a["unique_array"]),
)
_OPERAND = {
    "type": ["number", "string", "array"],
    "items": {"type": ["number", "string"]},
    "maxItems": 10_000,
    "description": "A number, several numbers, or the handle of a list that holds nothing but one number.",
}
_CALCULATOR = declare(
    "Calculator",
    "Calculates with two numbers, or entry by entry with several.",
    {
        "input_1": _OPERAND,
        "input_2": _OPERAND,
        "operation": {"type": "string", "enum": list(OPERATIONS), "description": "What input_2 does to input_1."},
    },
    lambda session, a: operations.calculator(session, a["input_1"], a["input_2"], operation=a["operation"]),
)
