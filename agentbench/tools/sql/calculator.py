"""Arithmetic on two numbers, without evaluating any text."""

from __future__ import annotations

import math
from collections.abc import Callable

from agentbench.errors import ToolError

Number = int | float


def calculate(operation: str, first: Number, second: Number) -> Number:
    """The result of one of `OPERATIONS`; whole numbers stay whole as long as they fit into 64 bits.

    Raises:
        ToolError: division by zero, a result too large, or one that is not a real number.
    """
    try:
        result = OPERATIONS[operation](first, second)
        result = result if isinstance(result, int) and -(2**63) <= result < 2**63 else float(result)
    except ZeroDivisionError as error:
        raise ToolError(f"{operation}: the second number is zero") from error
    except OverflowError as error:
        raise ToolError(f"{operation}: the result is too large") from error
    except ValueError as error:
        raise ToolError(f"{operation}: no real number is the result") from error
    if not math.isfinite(result):
        raise ToolError(f"{operation}: the result is too large")
    return result


def _power(base: Number, exponent: Number) -> Number:
    # Whole powers are worked out exactly only where the result stays small: 10 ** 10 ** 10 would never return.
    if isinstance(base, int) and isinstance(exponent, int) and 0 <= exponent <= 64:
        return base**exponent
    return math.pow(base, exponent)


OPERATIONS: dict[str, Callable[[Number, Number], Number]] = {
    "add": lambda first, second: first + second,
    "subtract": lambda first, second: first - second,
    "multiply": lambda first, second: first * second,
    "divide": lambda first, second: first / second,
    "modulo": lambda first, second: first % second,
    "power": _power,
}
