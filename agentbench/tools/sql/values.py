"""Values between JSON and SQLite: what an agent may say about a column, and how a stored value is shown."""

from __future__ import annotations

import math
import re
from typing import Any

import orjson

from agentbench.errors import ToolError
from agentbench.tools.sql.database import Scalar
from agentbench.types import Observation

Given = str | int | float | bool
"""What an agent may give as a value."""
MAX_SHOWN_CHARS = 2000
"""Longest text shown of one value."""
_NUMBER = re.compile(r"[+-]?(\d{1,300}(\.\d{0,300})?|\.\d{1,300})([eE][+-]?\d{1,4})?", re.ASCII)


def number(value: Given | bytes | None) -> int | float | None:
    """The finite number a value is or spells, `None` where it is none; a float where 64 bits are too few for it."""
    if isinstance(value, str):
        value = value.strip()
        if not _NUMBER.fullmatch(value):
            return None
        value = int(value) if value.lstrip("+-").isdigit() else float(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        value = float(value) if abs(value) < 10**300 else math.inf
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def comparable(value: Given, column: str, column_type: str) -> Scalar:
    """A filter value in the type of the column: numbers that are spelled out count as numbers and the other way round.

    Raises:
        ToolError: the two cannot be compared.
    """
    if column_type != "TEXT":
        found = number(value)
        if found is None:
            raise ToolError(f"{column!r} holds numbers and {brief(value)} is not a finite number")
        return found
    if isinstance(value, bool):
        raise ToolError(f"{column!r} holds text and {brief(value)} is not text")
    return text(value)


def text(value: Given) -> str:
    """A filter value as text: 2013.0 reads `2013`."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**63 else str(value)


def brief(value: Given) -> str:
    """A value as error messages quote it: on one line, at most 80 characters, safe to encode."""
    quoted = repr(value)
    return quoted if len(quoted) <= 80 else f"{quoted[:80]}…"


def shown(value: Scalar) -> str | int | float | None:
    """A stored value as JSON can hold it: long text is cut, bytes are described, infinities are spelled out."""
    if isinstance(value, str):
        return value if len(value) <= MAX_SHOWN_CHARS else f"{value[:MAX_SHOWN_CHARS]}… ({len(value):,} characters)"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def observation(payload: dict[str, Any]) -> Observation:
    """A result as compact JSON.

    Raises:
        ToolError: it holds something JSON cannot, such as half of a surrogate pair.
    """
    try:
        return Observation(orjson.dumps(payload).decode())
    except TypeError as error:
        raise ToolError(f"the result cannot be written as JSON: {error}") from error
