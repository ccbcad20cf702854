"""The `calculate` tool of τ²-bench: sums in plain notation, worked out without evaluating any text as a program."""

from __future__ import annotations

import ast
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools.sql.calculator import Number
from agentbench.tools.sql.calculator import calculate as worked_out
from agentbench.tools.tau2.world import Offered, World, offered, text

LONGEST = 500
"""Most characters of an expression."""

_SIGNS = {ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide"}


def calculate(_world: World, expression: str) -> str:
    """The value of an expression of numbers, `+ - * /` and brackets, rounded to cents.

    Raises:
        ToolError: it is something else, or has no value.
    """
    if len(expression) > LONGEST:
        raise ToolError(f"the expression is longer than {LONGEST} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ToolError(f"{expression!r} is no arithmetic") from error
    return str(round(float(_value(tree.body)), 2))


CALCULATE: Offered = offered(
    calculate,
    "Work out an arithmetic expression.",
    {"expression": text("Numbers, + - * / and brackets, such as '(12.5 + 3) * 2'.")},
)


def _value(node: Any) -> Number:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _SIGNS:
            return worked_out(_SIGNS[type(sign)], _value(left), _value(right))
        case _:
            raise ToolError("only numbers, + - * / and brackets are understood")
