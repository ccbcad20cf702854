"""Tools that belong to a task: its data says which it offers, in data sets in which every question has its own.

They stand in `Task.data["tools"]` as the JSON of their specs, so that a task file and a trajectory hold all there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from agentbench.errors import DataError
from agentbench.types import Task, ToolSpec

TOOLS = "tools"
"""The key in a task's data."""

_READER = TypeAdapter(tuple[ToolSpec, ...])


def tools_data(tools: Iterable[ToolSpec]) -> list[dict[str, Any]]:
    """Specs as what a task's data holds."""
    return orjson.loads(orjson.dumps(list(tools)))


def own_tools(task: Task) -> tuple[ToolSpec, ...]:
    """The tools that a task offers.

    Raises:
        DataError: its data holds none, or something else in their place.
    """
    try:
        return _READER.validate_python(task.data.get(TOOLS))
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise DataError(f"task {task.id!r}", f"data.{TOOLS}{place and f'.{place}'}: {problem['msg']}") from None
