"""The calculator works expressions out and runs nothing else."""

from __future__ import annotations

import pytest

from agentbench.errors import ToolError
from agentbench.tools.function.calculator import calculate


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("17 + 25", 42),
        ("(17 + 4) * 2.5", 52.5),
        ("2 ^ 10 - 24", 1000),
        ("-3 ** 2", -9),  # the power binds closer than the sign
        ("7 // 2 + 7 % 2", 4),  # 3 + 1
        ("0.1 + 0.2", 0.3),
        ("sqrt(16) + round(2.5) + min(3, 2)", 8),  # 4 + 2 (halves go to the even number) + 2
        ("10 / 4", 2.5),
    ],
)
def test_an_expression_is_worked_out(expression: str, result: float) -> None:
    assert calculate(expression) == {"result": result}


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "(1).__class__",
        "open('/etc/passwd')",
        "[x for x in (1, 2)]",
        "lambda: 1",
        "'a' * 3",
        "True + 1",
        "abs(key=1)",
        "1 if 1 else 2",
    ],
)
def test_python_that_is_no_arithmetic_is_refused(expression: str) -> None:
    with pytest.raises(ToolError, match="is no arithmetic"):
        calculate(expression)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("1 +", "is no expression"),
        ("1 / 0", "the second number is zero"),
        ("9 ** 9 ** 9 ** 9", "too large"),
        ("sqrt(-1)", "has no value"),
        ("1" * 301, "301 characters"),
        ("(" * 250 + "1", "is no expression"),
        ("e" + "xp(1000)", "has no value"),
    ],
)
def test_what_has_no_value_is_said_in_one_line(expression: str, problem: str) -> None:
    with pytest.raises(ToolError, match=problem) as error:
        calculate(expression)
    assert "\n" not in str(error.value)
