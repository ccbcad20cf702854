"""A few generic tools over handles; what to compare, aggregate or transform is an argument (a "slot")."""

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
    DISTINCT,
    END,
    KEY,
    KEY_OR_ROWS,
    LABEL,
    LIMIT,
    PATTERN,
    START,
    VALUE,
    Declared,
    declare,
    episode_tools,
    limit_of,
    shared,
)
from agentbench.tools.sql.handles import Session
from agentbench.tools.sql.spec import Universe
from agentbench.tools.sql.vakra.tools import vakra_slot_filling_tools


def slot_filling_tools(
    database: Database,
    universes: Sequence[Universe],
    shown_values: int,
    contract: ToolContract = ToolContract.STRICT,
) -> tuple[Tool, ...]:
    """The slot_filling tools of one episode. Handles live as long as the tools; declarations are made once.

    Lists of more than `shown_values` values come back as a handle; under the VAKRA contract every list does.

    Raises:
        PreflightError: a universe declares a column of an unknown type.
    """
    if contract is ToolContract.VAKRA:
        return vakra_slot_filling_tools(database, universes)
    return episode_tools(_declared(tuple(universes)), database, universes, shown_values)


@lru_cache(maxsize=64)
def _declared(universes: tuple[Universe, ...]) -> tuple[Declared, ...]:
    get_data, concatenate, unique, calculator = shared(universes)
    return (get_data, _FILTER, _SORT, _AGGREGATE, _RETRIEVE, _TRANSFORM, concatenate, unique, calculator)


async def _transform(session: Session, arguments: dict[str, Any]) -> dict[str, Any]:
    label, key = arguments["data_label"], arguments["key_name"]
    options = arguments.get("operation_args", {})
    match arguments["operation_type"]:
        case "substring":
            return await operations.substring(
                session, label, key, start=options.get("start_index", 0), end=options.get("end_index")
            )
        case "datetime":
            if "pattern" not in options:
                raise ToolError('operation_type "datetime" needs operation_args such as {"pattern": "%Y"}')
            return await operations.datetime_part(session, label, key, options["pattern"])
        case _:
            return await operations.absolute(session, label, key)


_FILTER = declare(
    "filter_data",
    "Keeps the records of a table whose column meets a condition. Records without a value only meet that of equality "
    "with null.",
    {
        "data_label": LABEL,
        "key_name": KEY,
        "value": VALUE,
        "condition": {
            "type": "string",
            "enum": list(operations.CONDITIONS),
            "description": "`contains` looks for the value anywhere in the text and `like` takes % and _ as "
            "wildcards; both ignore the case of a-z.",
        },
    },
    lambda session, a: operations.filter_data(
        session, a["data_label"], a["key_name"], condition=a["condition"], value=a["value"]
    ),
)
_SORT = declare(
    "sort_data",
    "Orders the records of a table by a column; records without a value come last.",
    {
        "data_label": LABEL,
        "key_name": KEY,
        "ascending": {"type": "boolean", "default": False, "description": "Smallest first instead of largest first."},
    },
    lambda session, a: operations.sort_data(
        session, a["data_label"], a["key_name"], ascending=a.get("ascending", False)
    ),
    optional=("ascending",),
)
_AGGREGATE = declare(
    "aggregate_data",
    "Works out one figure from the values of a column. `std` is the sample standard deviation; `argmin` and `argmax` "
    "give a handle for the records that have the smallest or largest value.",
    {
        "data_label": LABEL,
        "aggregation_operation": {
            "type": "string",
            "enum": list(operations.AGGREGATIONS),
            "description": "Which figure.",
        },
        "key_name": KEY_OR_ROWS,
        "distinct": DISTINCT,
        "limit": LIMIT,
    },
    lambda session, a: operations.aggregate(
        session,
        a["data_label"],
        a["key_name"],
        operation=a["aggregation_operation"],
        distinct=a.get("distinct", False),
        limit=limit_of(a),
    ),
    optional=("distinct", "limit"),
)
_RETRIEVE = declare(
    "retrieve_data",
    "Gives the values of a column in the order of the table; a long list comes back as a handle.",
    {"data_label": LABEL, "key_name": KEY, "distinct": DISTINCT, "limit": LIMIT},
    lambda session, a: operations.retrieve(
        session, a["data_label"], a["key_name"], distinct=a.get("distinct", False), limit=limit_of(a)
    ),
    optional=("distinct", "limit"),
)
_TRANSFORM = declare(
    "transform_data",
    "Replaces the values of a column: `substring` keeps a part of each text, `abs` drops the sign of numbers, "
    "`datetime` takes one part of dates such as 2013-05-31.",
    {
        "data_label": LABEL,
        "key_name": KEY,
        "operation_type": {"type": "string", "enum": ["substring", "abs", "datetime"], "description": "What is done."},
        "operation_args": {
            "type": "object",
            "description": "For substring: start_index, end_index. For datetime: pattern. For abs: nothing.",
            "properties": {
                "start_index": START,
                "end_index": END,
                "pattern": PATTERN,
            },
            "additionalProperties": False,
        },
    },
    _transform,
    optional=("operation_args",),
)
