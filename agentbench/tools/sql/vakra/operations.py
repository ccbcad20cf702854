"""What the public benchmark's tools do with tables, figures and lists, faults included.

Counts include missing values, the standard deviation is that of a whole population, `argmin` and `argmax` give the
position of a row, all but the count are floats, and nothing can be sorted or aggregated that has no rows. Dividing by
what is not greater than zero gives NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.sql.vakra.tables import OBJECT, Table, missing, table_of, untyped_table

AGGREGATIONS = ("min", "max", "sum", "mean", "count", "std", "argmin", "argmax")
CALCULATIONS = ("add", "subtract", "multiply", "divide")
_PARTS: dict[str, Callable[[datetime], int]] = {
    "%Y": lambda date: date.year,
    "%m": lambda date: date.month,
    "%d": lambda date: date.day,
}


def in_order(table: Table, key: str, *, ascending: bool) -> Table:
    """The rows ordered by a column; missing values come last, ties keep their order.

    Raises:
        ToolError: the table is empty, or its values cannot be ordered.
    """
    values = table.values(key)
    if not values:
        raise failed("the table has no rows to sort")
    present = [position for position, value in enumerate(values) if not missing(value)]
    absent = [position for position, value in enumerate(values) if missing(value)]
    try:
        present.sort(key=values.__getitem__, reverse=not ascending)
    except TypeError as error:
        raise failed(f"the values of {key!r} cannot be ordered") from error
    return table.kept([*present, *absent])


def figure(values: list[Any], operation: str, *, distinct: bool, limit: int) -> float | int:
    """One figure over values; a negative limit is none.

    Raises:
        ToolError: the operation does not go with the values.
    """
    values = list(dict.fromkeys(values)) if distinct else values
    values = values[:limit] if limit >= 0 else values
    try:
        match operation:
            case "count":
                return len(values)
            case "argmin":
                return values.index(min(values))
            case "argmax":
                return values.index(max(values))
            case _:
                return _computed(values, operation)
    except (TypeError, ValueError) as error:
        raise failed(f"{operation} does not go with these values") from error


def _computed(values: list[Any], operation: str) -> float:
    import numpy

    # Numpy adds in an order of its own, which shows in the last digits.
    if not all(isinstance(value, int | float) for value in values):
        raise TypeError
    if all(missing(value) for value in values):
        return 0.0 if operation == "sum" else math.nan
    compute = {"min": numpy.nanmin, "max": numpy.nanmax, "sum": numpy.nansum, "mean": numpy.nanmean}
    with numpy.errstate(all="ignore"):
        return float(compute.get(operation, numpy.nanstd)(values))


def column(values: list[Any]) -> list[Any]:
    """A column as the getters show it: `None` for what is missing."""
    return [None if missing(value) else value for value in values]


def retrieved(table: Table, keys: str | list[str], *, distinct: bool, limit: int) -> Table:
    """Some columns as a table; `distinct` only works on one, and keeps a missing value too."""
    columns = {}
    for key in [keys] if isinstance(keys, str) else keys:
        values = table.values(key)
        values = list(dict.fromkeys(values)) if distinct and isinstance(keys, str) else values
        columns[key] = column(values[:limit] if limit >= 0 else values)
    return untyped_table(columns)


def concatenated(first: Table, second: Table) -> Table:
    """The rows of two tables of the same columns.

    Raises:
        ToolError: their columns differ.
    """
    if set(first.columns) != set(second.columns):
        raise failed("the tables have different columns")
    return table_of({name: first.values(name) + second.values(name) for name in first.columns})


def substring(table: Table, key: str, start: int, end: int) -> Table:
    """The table with a column cut as Python cuts: negative positions count from the end.

    Raises:
        ToolError: a value of the column is no text.
    """
    values = table.values(key)
    if not all(isinstance(value, str) for value in values):
        raise failed(f"{key!r} does not hold texts only")
    return table.transformed(key, [value[start:end] for value in values])


def absolute(table: Table, key: str) -> Table:
    """The table with a column's numbers without their sign.

    Raises:
        ToolError: a value of the column is no number.
    """
    if table.columns[key].dtype == OBJECT and len(table.rows):
        raise failed(f"{key!r} does not hold numbers only")
    return table.transformed(key, [abs(value) for value in table.values(key)])


def date_parts(table: Table, key: str, pattern: str) -> Table:
    """The table with a part of each ISO date; what is no date stays, and other patterns than three give nothing."""
    return table.transformed(key, [_part(value, pattern) for value in table.values(key)])


def _part(value: Any, pattern: str) -> Any:
    try:
        date = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return value
    return _PARTS[pattern](date) if pattern in _PARTS else None


def calculated(first: Any, second: Any, operation: str) -> Any:
    """Arithmetic on numbers, or entry by entry on lists, where an entry of a list of one goes with all of the other.

    Raises:
        ToolError: lists of different lengths, or a number too large.
    """
    try:
        if not isinstance(first, list) and not isinstance(second, list):
            return _calculated(first, second, operation)
        firsts, seconds = (value if isinstance(value, list) else [value] for value in (first, second))
        if len(firsts) == 1 < len(seconds):
            firsts = firsts * len(seconds)
        elif len(seconds) == 1 < len(firsts):
            seconds = seconds * len(firsts)
        if len(firsts) != len(seconds):
            raise failed(f"lists of {len(firsts)} and {len(seconds)} entries do not go together")
        return [_calculated(a, b, operation) for a, b in zip(firsts, seconds, strict=True)]
    except OverflowError as error:
        raise failed("a number is too large") from error


def _calculated(first: float | None, second: float | None, operation: str) -> float:
    if first is None or second is None:
        return math.nan
    match operation:
        case "add":
            return first + second
        case "subtract":
            return first - second
        case "multiply":
            return first * second
        case _:
            return first / second if second > 0 else math.nan


def unique(values: list[Any]) -> list[Any]:
    """The different values of a list, in order of first appearance; what Python takes for equal is one value."""
    return list(dict.fromkeys(values))


def failed(problem: str) -> ToolError:
    """The error of a call whose arguments do not go with the data."""
    return ToolError(f"Input validation error: {problem}")
