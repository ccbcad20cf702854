"""VAKRA's gold answers, lists of rows, as one of our answers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

from agentbench.tasks.answers import number_text
from agentbench.types import Answer, AnswerType

UNKNOWN = Answer(AnswerType.NUMBER, None)
"""The answer of a task whose ground truth is not published: nothing is right, refusing neither."""
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})(?:\.\d{1,30})?")


def read_answer(given: Any) -> Answer | None:
    """The values of all rows: one number, one text, or the set of them; `None` where there is no value at all.

    A text that is nothing but a number counts as one, unless it begins with zeros that a number would lose.
    """
    values = list(dict.fromkeys(_values(given)))
    if not values:
        return None
    if len(values) > 1:
        return Answer(AnswerType.ITEMS, tuple(values))
    if _NUMBER.fullmatch(values[0]):
        return Answer(AnswerType.NUMBER, float(values[0]))
    return Answer(AnswerType.TEXT, values[0])


def _values(given: Any) -> Iterator[str]:
    match given:
        case None:
            return
        case list():
            for item in given:
                yield from _values(item)
        case dict():
            for item in given.values():
                yield from _values(item)
        case bool():
            yield str(given).lower()
        case int() | float():
            yield number_text(float(given)) if math.isfinite(given) and abs(given) < 2**53 else str(given)
        case _:
            text = str(given).strip()
            if text:
                yield text
