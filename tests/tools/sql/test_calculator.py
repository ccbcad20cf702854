from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.errors import ToolError
from agentbench.tools.sql.calculator import OPERATIONS, calculate


@pytest.mark.parametrize(
    ("operation", "first", "second", "result"),
    [
        ("add", 2, 3, 5),
        ("subtract", 2, 3, -1),
        ("multiply", 2.5, -4, -10.0),
        ("divide", 7, -2, -3.5),
        ("modulo", 7, -4, -1),
        ("power", 2, 10, 1024),
        ("power", 2, -1, 0.5),
        ("power", 10, 20, 1e20),
    ],
)
def test_results_are_those_of_arithmetic(operation: str, first: float, second: float, result: float) -> None:
    assert calculate(operation, first, second) == result


@pytest.mark.parametrize(
    ("operation", "first", "second", "problem"),
    [
        ("divide", 1, 0, "divide: the second number is zero"),
        ("modulo", 1.0, 0.0, "modulo: the second number is zero"),
        ("power", 10, 10**10, "power: the result is too large"),
        ("multiply", 1e200, 1e200, "multiply: the result is too large"),
        ("power", -8, 0.5, "power: no real number is the result"),
        ("power", 0, -1, "power: no real number is the result"),
    ],
)
def test_what_has_no_result_is_a_tool_error(operation: str, first: float, second: float, problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        calculate(operation, first, second)


NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@settings(deadline=None)
@given(st.sampled_from(list(OPERATIONS)), NUMBERS, NUMBERS)
def test_any_two_numbers_give_a_finite_number_or_a_tool_error(operation: str, first: float, second: float) -> None:
    try:
        result = calculate(operation, first, second)
    except ToolError:
        return
    assert abs(result) < float("inf")
    assert isinstance(result, float) or -(2**63) <= result < 2**63
