"""Requests from templates: several wordings, slots with values, and calls whose gold is executed when tasks are made.

    - name: sum
      wordings: ["What is {a} plus {b}?", "Add {a} and {b}.", "{a} + {b} = ?"]      three or more
      slots: {a: {from: 12, to: 980}, b: {any_of: [7, 8, 9]}}                       or {day_from: 2026-01-01, days: 300}
      calls: [{tool: calculator, arguments: {expression: "{a} + {b}"}}]
      answer: "{1.result}"                                                          a path in the first call's result

Fields stand for slots (`{a}`, or `{fact.year}` where a value is a mapping) and for results of calls, which are counted
from 1. An argument that is nothing but a field keeps its type. Splits share neither wordings nor values of the slots.
"""

from __future__ import annotations

import datetime
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from agentbench.config.schema import schema
from agentbench.config.tasks import Split
from agentbench.config.yaml_text import read_yaml
from agentbench.errors import DataError
from agentbench.types import Answer, AnswerType, CallTools, Gold, Task, ToolCall, Turn

SHIPPED = Path(__file__).parent / "requests.yaml"
SUITE = "playground"
_SHARES = ((Split.TRAIN, 0.6), (Split.VALIDATION, 0.8), (Split.TEST, 1.0))
"""Where each split ends, among wordings and among values."""
_FIELD = re.compile(r"\{([\w.]+)\}")

Execute = Callable[[ToolCall], Any]
"""Carries out a call; gives its result as a JSON value."""


@schema
class Slot:
    """Values that a request is about: one of a list, a whole number, or a day."""

    any_of: tuple[Any, ...] = ()
    from_: Annotated[int | None, Field(alias="from")] = None
    to: int | None = None
    day_from: datetime.date | None = None
    days: int = 365

    def draw(self, rng: random.Random) -> Any:
        """One value."""
        if self.any_of:
            return rng.choice(self.any_of)
        if self.day_from is not None:
            return str(self.day_from + datetime.timedelta(days=rng.randrange(self.days)))
        return rng.randint(self.from_ or 0, self.to or 0)


@schema
class TemplateCall:
    """A gold call with fields in its arguments."""

    tool: str
    arguments: dict[str, Any]


@schema
class RequestTemplate:
    """One kind of request."""

    name: str
    wordings: Annotated[tuple[str, ...], Field(min_length=3)]
    slots: dict[str, Slot]
    calls: tuple[TemplateCall, ...]
    answer: str


_READER = TypeAdapter(tuple[RequestTemplate, ...])


def read_templates(path: Path) -> tuple[RequestTemplate, ...]:
    """The templates of a file.

    Raises:
        DataError: it cannot be read, or holds something else.
    """
    try:
        return _READER.validate_python(read_yaml(path.read_bytes()))
    except ValidationError as error:  # before the next line, for it is a ValueError too
        problem = error.errors()[0]
        raise DataError(path, f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}") from None
    except (OSError, ValueError) as error:
        raise DataError(path, str(error)) from error


def templated_tasks(
    templates: Sequence[RequestTemplate], split: Split, per_template: int, execute: Execute
) -> list[list[Task]]:
    """The requests of a split by template, always the same ones; `per_template` counts all splits.

    Raises:
        DataError: a field stands for nothing.
        ToolError: a gold call fails.
    """
    return [list(_tasks(template, split, per_template, execute)) for template in templates]


def _tasks(template: RequestTemplate, split: Split, count: int, execute: Execute) -> Iterator[Task]:
    wordings = _part(template.wordings, split)
    for number, values in _part(list(_drawn(template, count)), split):
        rng = random.Random(f"{template.name} {number} wording")
        told = dict(values)
        calls: list[ToolCall] = []
        for index, call in enumerate(template.calls, 1):
            arguments = {key: _filled(value, told, template.name) for key, value in call.arguments.items()}
            calls.append(ToolCall(call.tool, arguments))
            told[str(index)] = execute(calls[-1])
        gold = Gold(_answer(_filled(template.answer, told, template.name)), tuple(CallTools((call,)) for call in calls))
        query = str(_filled(rng.choice(wordings), values, template.name))
        data = {"split": split.value, "template": template.name, "hops": len(calls)}
        yield Task(f"{template.name}-{number}", SUITE, template.name, (Turn(query, gold),), data=data)


def _drawn(template: RequestTemplate, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Different values for the slots, numbered; fewer where there are no more."""
    rng, seen = random.Random(template.name), set[str]()
    for _ in range(count * 5):
        values = {name: slot.draw(rng) for name, slot in template.slots.items()}
        if len(seen) < count and repr(values) not in seen:
            seen.add(repr(values))
            yield len(seen) - 1, values


def _part(items: Sequence[Any], split: Split) -> Sequence[Any]:
    """A split's share of some things, at least one of them."""
    ends = [round(share * len(items)) for _, share in _SHARES]
    place = [name for name, _ in _SHARES].index(split)
    start = ends[place - 1] if place else 0
    return items[start : max(ends[place], start + 1)]


def _filled(value: Any, told: Mapping[str, Any], template: str) -> Any:
    """A value with its fields replaced; one that is nothing but a field becomes what the field stands for."""
    if not isinstance(value, str):
        return value
    whole = _FIELD.fullmatch(value)
    if whole:
        return _found(whole[1], told, template)
    return _FIELD.sub(lambda field: str(_found(field[1], told, template)), value)


def _found(path: str, told: Mapping[str, Any], template: str) -> Any:
    found: Any = told
    for part in path.split("."):
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, ValueError, TypeError):
            raise DataError(f"template {template!r}", f"{{{path}}} stands for nothing at {part!r}") from None
    return found


def _answer(value: Any) -> Answer:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Answer(AnswerType.NUMBER, float(value))
    return Answer(AnswerType.TEXT, str(value))
