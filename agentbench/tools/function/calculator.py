"""Arithmetic on one expression, read by Python's parser and worked out here: no name, call or attribute of Python's.

Numbers, + - * / // % ** and brackets, the constants pi and e, and the functions of `FUNCTIONS`. Whole numbers stay
whole. Results too large for 64 bits become fractions or are refused, so that no expression takes long.
"""

from __future__ import annotations

import ast
import math
import warnings
from collections.abc import Callable
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.sql.calculator import calculate as calculate_two

Number = int | float

LONGEST = 300
"""Most characters of an expression."""
_DIGITS = 12
"""Fractions are rounded to so many significant digits: 0.1 + 0.2 is 0.3."""

CONSTANTS = {"pi": math.pi, "e": math.e}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "round": round,
    "min": min,
    "max": max,
    "sqrt": math.sqrt,
    "exp": math.exp,
    "log": math.log,
    "log10": math.log10,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "floor": math.floor,
    "ceil": math.ceil,
}

_OPERATIONS: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "subtract",
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Mod: "modulo",
    ast.Pow: "power",
}


def calculate(expression: str) -> dict[str, Number]:
    """The value of an expression, as `result`.

    Raises:
        ToolError: it is too long, no arithmetic, or has no value.
    """
    if len(expression) > LONGEST:
        raise ToolError(f"the expression has {len(expression)} characters; {LONGEST} are the most")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", SyntaxWarning)  # `1if`, which Python only warns of, on our terminal
            tree = ast.parse(expression.strip().replace("^", "**"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ToolError(f"{expression!r} is no expression") from error
    try:
        return {"result": _rounded(_value(tree.body))}
    except (TypeError, ValueError, OverflowError) as error:
        raise ToolError(f"{expression!r} has no value: {error}") from error


def _value(node: ast.expr) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.Name(id=name) if name in CONSTANTS:
            return CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
            return math.floor(calculate_two("divide", _value(left), _value(right)))
        case ast.BinOp(left=left, op=operator, right=right) if type(operator) in _OPERATIONS:
            return calculate_two(_OPERATIONS[type(operator)], _value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(each) for each in arguments))
        case _:
            raise ToolError(f"{_shown(node)!r} is no arithmetic; there are numbers, + - * / // % **, {_names()}")


def _rounded(value: Any) -> Number:
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else _rounded(float(value))
    if not math.isfinite(value):
        raise ToolError("the result is too large")
    short = float(f"{value:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short


def _names() -> str:
    return ", ".join([*CONSTANTS, *(f"{name}()" for name in FUNCTIONS)])


def _shown(node: ast.expr) -> str:
    return ast.unparse(node)[:60]
