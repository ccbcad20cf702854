"""Which rows of a table in memory meet a condition, in the way of the public benchmark.

Texts are compared by the case of their letters but for `contains`, which takes its value for a regular expression.
`like` takes % and _ as wildcards and, beside them, a full stop for any character. Rows without a value meet
`not_equal_to`, and `like` fails on them. A number with a fraction loses it where the column is of whole numbers.
"""

from __future__ import annotations

import operator
import re
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from agentbench.errors import ToolError
from agentbench.tools.sql.vakra.tables import FLOAT64, INT64, OBJECT, Table, missing
from agentbench.tools.sql.values import brief

MAX_PATTERN_CHARS = 1000
MAX_TRIES = 50_000_000
"""Most steps the search for one expression may take in one text, if all goes badly: well under a second."""
SEARCH_TIMEOUT_S = 2.0
"""Longest time one `contains` may take over a whole column, in seconds; the last text may exceed it."""
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "greater_than": operator.gt,
    "less_than": operator.lt,
    "greater_than_equal_to": operator.ge,
    "less_than_equal_to": operator.le,
}
_BRANCHING = re.compile(r"[*+?{|(]")
"""Where a regular expression can be tried in more than one way."""
_ATOMS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
"""What stands for one character: an escape, or a set."""
_REFUSED = re.compile(r"\(\?(?!:)|\)[*+?{]|\{[0-9,]")
"""Groups that are repeated or more than groups, and counts."""


def filtered(table: Table, key: str, condition: str, value: Any) -> Table:
    """The rows whose column meets the condition.

    Raises:
        ToolError: the table is empty, or its values cannot be compared with the given one.
    """
    values, dtype = table.values(key), table.columns[key].dtype
    if not values:
        raise ToolError("Input validation error: the table has no rows to filter")
    meets = _test(condition, _converted(value, values, dtype), dtype)
    try:
        return table.kept(position for position, found in enumerate(values) if meets(found))
    except TypeError as error:
        raise ToolError(f"Input validation error: {key!r} cannot be compared with {brief(value)}") from error


def _converted(value: Any, values: Sequence[Any], dtype: str) -> Any:
    """The given value in the kind of the column, as far as that is done."""
    try:
        if type(value) is int and type(values[0]) is str:
            return str(value)
        if isinstance(value, str) and dtype == FLOAT64:
            return float(value)
        if isinstance(value, str | float) and dtype == INT64:
            return int(value)
    except (ValueError, OverflowError) as error:
        raise ToolError(f"Input validation error: {brief(value)} is no number of the column's kind") from error
    return value


def _test(condition: str, value: Any, dtype: str) -> Callable[[Any], bool]:
    match condition:
        case "equal_to":
            return missing if value is None else lambda found: found == value
        case "not_equal_to":
            return (lambda found: not missing(found)) if value is None else lambda found: found != value
        case "contains":
            return _containing(value, dtype)
        case "like":
            return _like(value)
        case _:
            order = _ORDERS[condition]
            return lambda found: value is not None and not missing(found) and order(found, value)


def _containing(value: Any, dtype: str) -> Callable[[Any], bool]:
    if dtype != OBJECT or not isinstance(value, str):
        raise ToolError("Input validation error: contains is for columns of text, and its value is text")
    search = _search(_checked(value))
    return lambda found: isinstance(found, str) and search(found)


def _search(pattern: str) -> Callable[[str], bool]:
    """A case-insensitive search that cannot take long, although a model wrote the expression.

    Nothing can stop the standard library's matcher once it has begun, so what it might have to try is counted before.
    """
    try:
        with warnings.catch_warnings(action="ignore"):
            compiled = re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise ToolError(f"Input validation error: {brief(pattern)} is no regular expression: {error}") from error
    power, factor = _tries(pattern)
    deadline = time.monotonic() + SEARCH_TIMEOUT_S

    def search(text: str) -> bool:
        if len(text) ** power * factor > MAX_TRIES or time.monotonic() > deadline:
            raise ToolError(f"the expression {brief(pattern)} takes too long on these texts")
        return compiled.search(text) is not None

    return search


class _Tries(NamedTuple):
    """A bound on what a search may try in a text of n characters: `factor` times n to the `power`."""

    power: int
    factor: int


def _tries(pattern: str) -> _Tries:
    if not _BRANCHING.search(pattern):
        return _Tries(1, 1)
    plain = _ATOMS.sub("a", pattern)
    if _REFUSED.search(plain) or re.search(r"\\[1-9]", pattern):
        problem = "repeats groups or counts, looks around or back"
        raise ToolError(f"the expression {brief(pattern)} {problem}; such expressions are not searched for here")
    repeated, optional = len(re.findall(r"[*+]", plain)), plain.count("?")
    ways = (1 + plain.count("|")) ** max(1, plain.count("("))
    return _Tries(1 + repeated, 2**optional * ways)


def _like(value: Any) -> Callable[[Any], bool]:
    if not isinstance(value, str):
        raise ToolError("Input validation error: the value of like is text")
    expression = re.compile(_like_expression(_checked(value)))

    def meets(found: Any) -> bool:
        return bool(found == found and expression.match(found))  # NaN is not equal to itself

    return meets


def _like_expression(pattern: str) -> str:
    """A regular expression for a pattern; % is `.*`, _ is a full stop, and both mean so also where written as such.

    Every piece between two `.*` is taken where it first fits, for good: that finds a match if there is one, and never
    goes back over what was tried.
    """
    pieces = [
        re.escape(piece).replace(r"\.", ".") for piece in pattern.replace("%", ".*").replace("_", ".").split(".*")
    ]
    first, *between = pieces
    if not between:
        return f"^{first}$"
    return f"^{first}{''.join(f'(?>.*?{piece})' for piece in between[:-1])}.*{between[-1]}$"


def _checked(pattern: str) -> str:
    if len(pattern) > MAX_PATTERN_CHARS:
        raise ToolError(f"Input validation error: the value has more than {MAX_PATTERN_CHARS:,} characters")
    return pattern
