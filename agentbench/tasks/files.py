"""Task files: one Task as JSON per line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from agentbench.config.suggest import did_you_mean
from agentbench.errors import DataError, PreflightError
from agentbench.types import Task


def read_tasks(path: Path) -> tuple[Task, ...]:
    """All tasks of a file, in order.

    Raises:
        PreflightError: the file is not there.
        DataError: a line is not a task, with its number; or an id stands twice.
    """
    if not path.is_file():
        raise PreflightError(f"no task file {path}", "python -m agentbench.prepare")
    tasks: dict[str, Task] = {}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            task = _read_line(line, path, number)
            if task.id in tasks:
                raise DataError(path, f"the task id {task.id!r} stands there a second time", number)
            tasks[task.id] = task
    return tuple(tasks.values())


def write_tasks(path: Path, tasks: Iterable[Task]) -> None:
    """Writes a task file, replacing what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(orjson.dumps(task) + b"\n" for task in tasks))


def _read_line(line: bytes, path: Path, number: int) -> Task:
    try:
        return _adapter().validate_json(line)
    except ValidationError as error:
        raise DataError(path, _problem(error.errors()), number) from None


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
