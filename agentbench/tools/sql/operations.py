"""What the handle tools do, whatever their names: each takes an episode's session and gives the observation's JSON.

Missing values follow SQL: a row without a value meets no condition and enters no aggregate.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.sql.calculator import calculate
from agentbench.tools.sql.database import Scalar
from agentbench.tools.sql.handles import Session
from agentbench.tools.sql.relations import Expression, Relation
from agentbench.tools.sql.values import Given, brief, comparable, number, shown, text

Result = dict[str, Any]
Operand = Given | list[Given]

CONDITIONS = {
    "equal_to": "{} = ?",
    "not_equal_to": "{} <> ?",
    "greater_than": "{} > ?",
    "less_than": "{} < ?",
    "greater_than_equal_to": "{} >= ?",
    "less_than_equal_to": "{} <= ?",
    "contains": r"{} LIKE ? ESCAPE '\'",
    "like": "{} LIKE ?",
}
_MISSING = {"equal_to": "{} IS NULL", "not_equal_to": "{} IS NOT NULL"}
AGGREGATES = {"min": "min({})", "max": "max({})", "sum": "sum({})", "mean": "avg({})", "count": "count({})"}
AGGREGATIONS = (*AGGREGATES, "std", "argmin", "argmax")
DATETIME_PATTERNS = ("%Y", "%m", "%d", "%H", "%M", "%S", "%w")
_MAX_COUNT = 2**30  # substr() takes 32 bits
_ISO_DATE = "'[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*'"


async def get_data(session: Session, universe: str) -> Result:
    """A handle for all rows of a universe."""
    return await session.table("", session.universe(universe))


async def filter_data(session: Session, handle: str, key: str, *, condition: str, value: Given | None) -> Result:
    """A handle for the rows whose `key` meets the condition; equal to `None` are those without a value.

    Raises:
        ToolError: unknown handle or column, or a value that cannot be compared with the column's.
    """
    relation = session.relation(handle)
    column = relation.column(key)
    if value is None:
        if condition not in _MISSING:
            raise ToolError(f"{condition} needs a value; null goes with {' and '.join(_MISSING)}")
        return await session.table("filtered", relation.filtered(key, _MISSING[condition]))
    bound: Scalar
    if condition == "contains":
        bound = "%" + text(value).replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"
    else:
        bound = text(value) if condition == "like" else comparable(value, key, column.type)
    return await session.table("filtered", relation.filtered(key, CONDITIONS[condition], bound))


async def sort_data(session: Session, handle: str, key: str, *, ascending: bool) -> Result:
    """A handle for the same rows in the order of `key`; ties keep their order, missing values come last."""
    return await session.table("sorted", session.relation(handle).sorted(key, ascending))


async def truncate(session: Session, values: str | list[Given | None], limit: int) -> Result:
    """A handle for the first `limit` rows or entries; of an array, the entries themselves."""
    if isinstance(values, str):
        return await session.table("truncated", session.relation(values).limited(_whole(limit)))
    return {"truncated_values": values[: _whole(limit)]}


async def retrieve(
    session: Session, handle: str, key: str, *, distinct: bool = False, limit: int | None = None
) -> Result:
    """The values of a column, in the table's order, or a handle where they are many.

    `distinct` leaves out repeated and missing ones; `limit` keeps the first so many of what remains.
    """
    return await session.values(_column(session.relation(handle), key, distinct=distinct, limit=limit))


async def aggregate(
    session: Session, handle: str, key: str, *, operation: str, distinct: bool = False, limit: int | None = None
) -> Result:
    """`{"result": …}` over the values of a column, `None` where there are none to work on.

    `std` is the sample standard deviation. `argmin` and `argmax` give a handle for the rows with the extreme value,
    all of those that tie. `distinct` and `limit` choose the values as in `retrieve`; for argmin and argmax `limit`
    looks at the first so many rows and `distinct` changes nothing. A count of the column `""` is that of all rows.

    Raises:
        ToolError: unknown handle or column, or an operation on numbers where the column holds text.
    """
    relation = session.relation(handle)
    if operation == "count" and not distinct and key == "" and key not in relation.columns:
        return {"result": await session.count(relation if limit is None else relation.limited(_whole(limit)))}
    if operation in ("sum", "mean", "std"):
        _demand_numbers(relation, key, operation)
    if operation in ("argmin", "argmax"):
        rows = relation if limit is None else relation.limited(_whole(limit))
        return await _extreme(session, rows, key, operation)
    if distinct or limit is not None:
        relation = _column(relation, key, distinct=distinct, limit=limit)
    if operation == "std":
        return {"result": await _standard_deviation(session, relation, key)}
    (result,) = await session.row(relation, AGGREGATES[operation], key)
    return {"result": 0 if result is None and operation == "sum" else shown(result)}


async def substring(session: Session, handle: str, key: str, *, start: int = 0, end: int | None = None) -> Result:
    """A handle for the same rows with a column cut to its characters `start` up to, not including, `end`."""
    relation = session.relation(handle)
    column = relation.column(key)
    first = _whole(start)
    length = _MAX_COUNT if end is None else max(0, _whole(end) - first)
    cut = Expression("TEXT", column.applied("substr({}, ?, ?)", first + 1, length))
    return await session.table("transformed", relation.transformed(key, cut))


async def absolute(session: Session, handle: str, key: str) -> Result:
    """A handle for the same rows with a column's numbers without their sign.

    Raises:
        ToolError: unknown handle or column, or the column holds text.
    """
    relation = session.relation(handle)
    column = _demand_numbers(relation, key, "abs")
    positive = Expression(column.type, column.applied("abs({})"))
    return await session.table("transformed", relation.transformed(key, positive))


async def datetime_part(session: Session, handle: str, key: str, pattern: str) -> Result:
    """A handle for the same rows with a column's ISO 8601 dates replaced by one of their parts, a whole number.

    `pattern` is one of `DATETIME_PATTERNS`: it becomes part of a statement.

    Raises:
        ToolError: unknown handle or column, or the column does not hold text.
    """
    relation = session.relation(handle)
    column = relation.column(key)
    if column.type != "TEXT":
        raise ToolError(f"{key!r} holds numbers; only text such as 2013-05-31 has parts")
    # Unguarded, SQLite reads plain numbers as days of the Julian calendar and 'now' as the current time.
    template = f"CASE WHEN {{}} GLOB {_ISO_DATE} THEN CAST(strftime('{pattern}', {{}}) AS INTEGER) END"
    number_of = Expression("INTEGER", column.applied(template))
    return await session.table("transformed", relation.transformed(key, number_of))


async def concatenate(session: Session, first: str, second: str) -> Result:
    """A handle for the rows of two like tables, or the entries of two lists, one after the other."""
    return await session.table("concatenated", session.relation(first).concatenated(session.relation(second)))


async def unique(session: Session, values: str | list[Given | None]) -> Result:
    """The different values of a list handle, or of an array, each where it first appears.

    Raises:
        ToolError: unknown handle, or one of a table.
    """
    if isinstance(values, str):
        name = session.list_name(values)
        return await session.values(session.relation(values).distinct(name))
    return {"unique_values": list({(isinstance(value, bool), value): value for value in values}.values())}


async def calculator(session: Session, first: Operand, second: Operand, *, operation: str) -> Result:
    """`{"result": …}` of arithmetic on two numbers; a list handle of one entry counts as that number.

    Arrays are worked through entry by entry, and one number goes with all entries of an array.

    Raises:
        ToolError: an input that is no number, a result that is none, or arrays of different lengths.
    """
    if not isinstance(first, list) and not isinstance(second, list):
        return {"result": calculate(operation, await _number(session, first), await _number(session, second))}
    firsts, seconds = (value if isinstance(value, list) else [value] for value in (first, second))
    if len(firsts) != len(seconds) and 1 not in (len(firsts), len(seconds)):
        raise ToolError(f"arrays of {len(firsts)} and {len(seconds)} entries do not go together")
    pairs = max(len(firsts), len(seconds)) if firsts and seconds else 0
    left = [await _number(session, value) for value in firsts]
    right = [await _number(session, value) for value in seconds]
    return {"result": [calculate(operation, left[i % len(left)], right[i % len(right)]) for i in range(pairs)]}


def _column(relation: Relation, key: str, *, distinct: bool, limit: int | None) -> Relation:
    column = relation.distinct(key) if distinct else relation.only(key)
    return column if limit is None else column.limited(_whole(limit))


def _whole(value: float) -> int:
    """A count as SQLite can bind it; JSON Schema lets 3.0 and 10**30 pass as integers."""
    return int(min(value, _MAX_COUNT))


def _demand_numbers(relation: Relation, key: str, operation: str) -> Expression:
    column = relation.column(key)
    if column.type == "TEXT":
        raise ToolError(f"{key!r} holds text and {operation} needs numbers")
    return column


async def _extreme(session: Session, relation: Relation, key: str, operation: str) -> Result:
    (value,) = await session.row(relation, "max({})" if operation == "argmax" else "min({})", key)
    if value is None:
        return await session.table(operation, relation.limited(0))
    return await session.table(operation, relation.filtered(key, "{} = ?", value))


async def _standard_deviation(session: Session, relation: Relation, key: str) -> float | None:
    # One pass over deviations from any value of the column: their mean is at most sqrt(n) deviations away, which
    # keeps the cancellation of the textbook's one-pass formula harmless (Chan, Golub, LeVeque 1983, shifted data).
    rows = replace(relation.opened(), order=())
    shift = await session.first(rows.filtered(key, "{} IS NOT NULL").only(key))
    if not isinstance(shift, int | float):
        return None
    shifted = rows.transformed(key, Expression("REAL", rows.column(key).applied("({} - ?)", float(shift))))
    count, mean, squares = await session.row(shifted, "count({}), avg({}), total({} * {})", key)
    if count < 2:
        return None
    variance = (squares - mean * mean * count) / (count - 1)
    if not math.isfinite(variance):
        raise ToolError(f"std: the values of {key!r} are too large")
    return math.sqrt(max(0.0, variance))


async def _number(session: Session, value: Given) -> int | float:
    found = number(value)
    if found is None and isinstance(value, str):
        session.list_name(value)
        relation = session.relation(value)
        if (count := await session.count(relation)) != 1:
            raise ToolError(f"{value} holds {count} values and one number is wanted")
        found = number(await session.first(relation))
    if found is None:
        raise ToolError(f"{brief(value)} is not a number")
    return found
