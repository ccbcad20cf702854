"""Python's types as JSON Schema."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.tasks.calls.types import UNFIT, Typed, as_type, read_type

WHOLE = {"type": "integer"}


@pytest.mark.parametrize(
    ("text", "schema", "optional"),
    [
        ("str", {"type": "string"}, False),
        ("int, optional", WHOLE, True),
        ("Optional[float]", {"type": "number"}, True),
        ("List[int]", {"type": "array", "items": WHOLE}, False),
        ("List[List[int]], optional", {"type": "array", "items": {"type": "array", "items": WHOLE}}, True),
        ("Dict[str, Any]", {"type": "object"}, False),
        ("Tuple[int, int]", {"type": "array", "items": WHOLE}, False),
        ("Union[int, str]", {"type": ["integer", "string"]}, False),
        ("int | None", {"type": ["integer", "null"]}, False),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}, False),
    ],
)
def test_a_type_becomes_a_schema(text: str, schema: dict[str, Any], optional: bool) -> None:
    assert read_type(text) == Typed(schema, optional)


@pytest.mark.parametrize("text", ["", "np.ndarray", "Callable[[float], float]", "int or float", "List[", "Tuple[()]x"])
def test_a_type_that_says_nothing_allows_anything(text: str) -> None:
    assert read_type(text).schema == {}


@pytest.mark.parametrize(
    ("value", "kind", "read"),
    [("10", "integer", 10), ("True", "boolean", True), ("[1]", "array", [1]), (3, "number", 3), ("10", "string", "10")],
)
def test_a_text_that_spells_a_value_becomes_it(value: Any, kind: str, read: Any) -> None:
    assert as_type(value, {"type": kind}) == read and type(as_type(value, {"type": kind})) is type(read)


@pytest.mark.parametrize(("value", "kind"), [("ten", "integer"), (True, "integer"), (1, "string"), ("1.5", "integer")])
def test_a_value_of_another_type_does_not_fit(value: Any, kind: str) -> None:
    assert as_type(value, {"type": kind}) is UNFIT
