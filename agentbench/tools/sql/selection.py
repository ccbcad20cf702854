"""Many narrow tools over handles: what slot_filling asks for stands in the name, and each column has a getter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from agentbench.config.env import ToolContract
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.sql import operations
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.handle_tools import (
    ARRAY,
    DISTINCT,
    END,
    KEY,
    KEY_OR_ROWS,
    LABEL,
    PATTERN,
    START,
    VALUE,
    Declared,
    declare,
    episode_tools,
    shared,
)
from agentbench.tools.sql.handles import Session
from agentbench.tools.sql.names import getter_name
from agentbench.tools.sql.spec import Column, Universe
from agentbench.tools.sql.vakra.tools import vakra_selection_tools

_CONDITIONS = {
    "equal_to": "is the value",
    "not_equal_to": "is another than the value",
    "greater_than": "is greater than the value",
    "less_than": "is less than the value",
    "greater_than_equal_to": "is the value or greater",
    "less_than_equal_to": "is the value or less",
    "contains": "has the value somewhere in its text, whatever the case of a-z",
    "like": "matches the value, in which % stands for any text and _ for any one character",
}
_FIGURES = {
    "min": "Gives the smallest value of a column.",
    "max": "Gives the largest value of a column.",
    "sum": "Adds up the numbers of a column.",
    "mean": "Gives the average of the numbers of a column.",
    "count": "Counts the values of a column; missing ones do not count.",
    "std": "Gives the sample standard deviation of the numbers of a column.",
    "argmin": "Keeps the records that have the smallest value in a column.",
    "argmax": "Keeps the records that have the largest value in a column.",
}
_COLUMN = {"data_label": LABEL, "key_name": KEY}


def selection_tools(
    database: Database,
    universes: Sequence[Universe],
    shown_values: int,
    contract: ToolContract = ToolContract.STRICT,
) -> tuple[Tool, ...]:
    """The selection tools of one episode. Handles live as long as the tools; declarations are made once.

    Lists of more than `shown_values` values come back as a handle; under the VAKRA contract getters give all values.

    Raises:
        PreflightError: a universe declares a column of an unknown type.
    """
    if contract is ToolContract.VAKRA:
        return vakra_selection_tools(database, universes)
    return episode_tools(_declared(tuple(universes)), database, universes, shown_values)


@lru_cache(maxsize=64)
def _declared(universes: tuple[Universe, ...]) -> tuple[Declared, ...]:
    get_data, *others = shared(universes)
    generic = (
        get_data,
        *(_select(condition, meaning) for condition, meaning in _CONDITIONS.items()),
        _sort("ascending", "smallest"),
        _sort("descending", "largest"),
        *(_compute(operation, description) for operation, description in _FIGURES.items()),
        *_TRANSFORMS,
        *others,
    )
    return (*generic, *_getters(universes))


def _select(condition: str, meaning: str) -> Declared:
    return declare(
        f"select_data_{condition}",
        f"Keeps the records of a table whose column {meaning}. Records without a value are left out, unless "
        "the value is null.",
        {**_COLUMN, "value": VALUE},
        lambda session, a: operations.filter_data(
            session, a["data_label"], a["key_name"], condition=condition, value=a["value"]
        ),
    )


def _sort(direction: str, first: str) -> Declared:
    return declare(
        f"sort_data_{direction}",
        f"Orders the records of a table by a column, {first} first; records without a value come last.",
        _COLUMN,
        lambda session, a: operations.sort_data(
            session, a["data_label"], a["key_name"], ascending=direction == "ascending"
        ),
    )


def _compute(operation: str, description: str) -> Declared:
    key = KEY_OR_ROWS if operation == "count" else KEY
    return declare(
        f"compute_data_{operation}",
        description,
        {"data_label": LABEL, "key_name": key, "distinct": DISTINCT},
        lambda session, a: operations.aggregate(
            session, a["data_label"], a["key_name"], operation=operation, distinct=a.get("distinct", False)
        ),
        optional=("distinct",),
    )


_TRANSFORMS = (
    declare(
        "transform_data_to_substring",
        "Replaces the texts of a column by a part of each.",
        {**_COLUMN, "start_index": START, "end_index": END},
        lambda session, a: operations.substring(
            session, a["data_label"], a["key_name"], start=a["start_index"], end=a.get("end_index")
        ),
        optional=("end_index",),
    ),
    declare(
        "transform_data_to_absolute_value",
        "Drops the sign of the numbers of a column.",
        _COLUMN,
        lambda session, a: operations.absolute(session, a["data_label"], a["key_name"]),
    ),
    declare(
        "transform_data_to_datetime_part",
        "Replaces the dates of a column, such as 2013-05-31, by one of their parts.",
        {**_COLUMN, "datetime_pattern": PATTERN},
        lambda session, a: operations.datetime_part(session, a["data_label"], a["key_name"], a["datetime_pattern"]),
    ),
    declare(
        "truncate",
        "Keeps the first records of a table, or the first entries of a list.",
        {
            "truncate_array": {**ARRAY, "description": "Handle of a table or list, or the values themselves."},
            "n": {"type": "integer", "minimum": 0, "description": "How many are kept."},
        },
        lambda session, a: operations.truncate(session, a["truncate_array"], a["n"]),
    ),
)


def _getters(universes: tuple[Universe, ...]) -> list[Declared]:
    """One getter per tool name; columns whose names look alike as tool names share one."""
    columns: dict[str, dict[str, Column]] = {}
    for column in (column for universe in universes for column in universe.columns):
        columns.setdefault(getter_name(column.name), {}).setdefault(column.name, column)
    return [_getter(name, alike) for name, alike in columns.items()]


def _getter(name: str, alike: dict[str, Column]) -> Declared:
    described = "; ".join(dict.fromkeys(f"{column.name}: {column.description}" for column in alike.values()))

    async def get(session: Session, arguments: dict[str, Any]) -> dict[str, Any]:
        relation = session.relation(arguments["data_label"])
        key = next((key for key in alike if key in relation.columns), None)
        if key is None:
            columns = ", ".join(relation.columns)
            raise ToolError(f"{arguments['data_label']} has no column {next(iter(alike))!r}. There is: {columns}")
        return await operations.retrieve(session, arguments["data_label"], key, distinct=True)

    return declare(
        name,
        f"Gives the different values of a column ({described}); a long list comes back as a handle.",
        {"data_label": LABEL},
        get,
    )
