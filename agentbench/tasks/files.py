"""Task files: one Task as JSON per line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from agentbench.app.writing import write_whole
from agentbench.config.suggest import did_you_mean
from agentbench.errors import DataError, PreflightError
from agentbench.formats import TASK
from agentbench.types import Answer, AnswerType, Task


def read_tasks(path: Path) -> tuple[Task, ...]:
    """All tasks of a file, in order; empty lines are passed over.

    Raises:
        PreflightError: the file is not there.
        DataError: a line is not a task, has no turn or a gold answer that its type cannot have, with its number; or an
            id stands twice.
    """
    if not path.is_file():
        raise PreflightError(f"no task file {path}", "python -m agentbench.prepare")
    tasks: dict[str, Task] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            task = _read_line(line, path, number)
            if task.id in tasks:
                raise DataError(path, f"the task id {task.id!r} stands there a second time", number)
            tasks[task.id] = task
    return tuple(tasks.values())


def write_tasks(path: Path, tasks: Iterable[Task]) -> None:
    """Writes a task file, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, b"".join(TASK.tagged(orjson.dumps(task)) + b"\n" for task in tasks))


def _read_line(line: bytes, path: Path, number: int) -> Task:
    try:
        task = _adapter().validate_json(TASK.current_json(line, path, number))
    except ValidationError as error:
        raise DataError(path, _problem(error.errors()), number) from None
    try:
        orjson.dumps(task)
    except TypeError as error:  # an integer of more than 64 bits, which no task file of ours can hold
        raise DataError(path, f"the task {task.id!r} cannot be written again: {error}", number) from None
    if not task.turns:
        raise DataError(path, f"the task {task.id!r} has no turn", number)
    for index, turn in enumerate(task.turns):
        answer = turn.gold.answer
        if not _fits(answer):
            value = f"turns.{index}.gold.answer.value: {answer.value!r} is no answer of type {answer.type.value}"
            raise DataError(path, value, number)
    return task


def _fits(answer: Answer) -> bool:
    match answer.type:
        case AnswerType.TEXT:
            return isinstance(answer.value, str | None)  # none: nobody knows the one right answer
        case AnswerType.NUMBER:
            return isinstance(answer.value, int | float | None)  # none: the gold answer is not published
        case AnswerType.ITEMS:
            return isinstance(answer.value, tuple)
        case AnswerType.UNANSWERABLE:
            return answer.value is None


@cache
def _adapter() -> TypeAdapter[Task]:
    return TypeAdapter(Task)


def _problem(errors: Sequence[Any]) -> str:
    """The first unknown key, which is often what another key is missing for, else the first thing that is wrong."""
    unknown = [error for error in errors if error["type"] == "unexpected_keyword_argument"]
    error = (*unknown, *errors)[0]
    place = ".".join(str(part) for part in error["loc"])
    if unknown:
        return f"unknown key {place!r}{did_you_mean(str(error['loc'][-1]), Task.__dataclass_fields__)}"
    return f"{place}: {error['msg']}" if place else str(error["msg"])
