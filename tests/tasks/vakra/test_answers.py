"""Gold answers, lists of rows, as ours."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.tasks.vakra.answers import read_answer
from agentbench.types import Answer, AnswerType

ANSWERS: dict[str, tuple[Any, Answer | None]] = {
    "one cell": ([["Ana"]], Answer(AnswerType.TEXT, "Ana")),
    "a bare text": ("Ana ", Answer(AnswerType.TEXT, "Ana")),
    "a number": ([[1.5]], Answer(AnswerType.NUMBER, 1.5)),
    "a number as text": (["23"], Answer(AnswerType.NUMBER, 23.0)),
    "a code with a leading zero": (["007"], Answer(AnswerType.TEXT, "007")),
    "a number too long for a float": ([10**20], Answer(AnswerType.TEXT, str(10**20))),
    "rows": ([["a"], ["b"]], Answer(AnswerType.ITEMS, ("a", "b"))),
    "cells of a row": ([["a", 2.0]], Answer(AnswerType.ITEMS, ("a", "2"))),
    "the same twice": ([["a"], ["a"]], Answer(AnswerType.TEXT, "a")),
    "an object": ({"year": 1999}, Answer(AnswerType.NUMBER, 1999.0)),
    "yes": ([[True]], Answer(AnswerType.TEXT, "true")),
    "nothing": ([], None),
    "a missing cell": ([[None]], None),
}


@pytest.mark.parametrize(("given", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_is_the_values_of_its_rows(given: Any, expected: Answer | None) -> None:
    assert read_answer(given) == expected
