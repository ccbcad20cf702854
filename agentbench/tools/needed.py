"""Tasks whose needed tool is taken away: the right answer is then to say that it cannot be answered.

Taken away is an API tool that the gold calls, and whatever could stand in for it. Of REST endpoints these are all that
read one particular column of those the tool reads, the one that the fewest endpoints read: no endpoint that is left
then says anything about it. Of handle tools it is get_data, the only way to any data.

What cannot be proved: that nothing else tells the answer. A model may know it by heart; a user's own documents may
state what the database states; a column may be a copy of another, or follow from others; and of endpoints of a
foreign HTTP API only the called one is known to be needed.
"""

from __future__ import annotations

import dataclasses
import random
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from agentbench.tools import Tool
from agentbench.tools.sql.spec import Endpoint
from agentbench.types import Answer, AnswerType, Gold, Task, ToolCall, Turn

StandIns = Mapping[str, frozenset[str]]
"""By tool: the tools that have to go so that nothing does its work, itself included."""

GET_DATA = "get_data"
REMOVED = "removed_tools"
"""Key of a task's facts: names of the tools it has to do without."""

Column = tuple[str, ...]
"""Table and name, or the name alone where a statement does not say the table."""

_QUOTED = r'"((?:[^"]|"")+)"'
_COLUMN = re.compile(rf"{_QUOTED}\.{_QUOTED}")
_ALIAS = re.compile(rf"{_QUOTED} AS {_QUOTED}")
_ANY_NAME = re.compile(_QUOTED)


def rest_stand_ins(endpoints: Sequence[Endpoint]) -> dict[str, frozenset[str]]:
    """For each endpoint over one database: all endpoints that read its rarest column."""
    columns = {endpoint.name: columns_read(endpoint) for endpoint in endpoints}
    readers = Counter(column for read in columns.values() for column in read)
    return {name: _with_rarest(read, readers, columns) | {name} for name, read in columns.items()}


def handle_stand_ins(distractors: Sequence[Endpoint]) -> dict[str, frozenset[str]]:
    """get_data, together with all endpoints over the same database that stand beside the handle tools."""
    return {GET_DATA: frozenset({GET_DATA, *(endpoint.name for endpoint in distractors)})}


def columns_read(endpoint: Endpoint) -> frozenset[Column]:
    """Columns an endpoint's statement mentions."""
    tables = {alias: table for table, alias in _ALIAS.findall(endpoint.sql)}
    found = frozenset((tables.get(table, table), column) for table, column in _COLUMN.findall(endpoint.sql))
    return found or frozenset((name,) for name in _ANY_NAME.findall(endpoint.sql))


def without_needed(task: Task, stand_ins: StandIns, seed: int) -> Task | None:
    """The task without an API tool that its gold needs, drawn by the seed; `None` where it needs none.

    The first turn that needs one of the tools taken away cannot be answered, and the task ends with it: later turns
    build on its answer. `removed_tools` among the task's facts says what `left` takes away, `needed_tool` what for.
    """
    needed = sorted({call.name for turn in task.turns for call in _calls(turn)} & stand_ins.keys())
    if not needed:
        return None
    tool = random.Random(f"{seed}/{task.id}").choice(needed)
    removed = stand_ins[tool]
    last = next(i for i, turn in enumerate(task.turns) if any(call.name in removed for call in _calls(turn)))
    refused = Turn(task.turns[last].query, Gold(Answer(AnswerType.UNANSWERABLE)))
    facts = {"needed_tool": tool, REMOVED: sorted(removed)}
    return dataclasses.replace(task, turns=(*task.turns[:last], refused), data={**task.data, **facts})


def left(tools: Sequence[Tool], task: Task) -> tuple[Tool, ...]:
    """The tools that a task does not have to do without; names as they were before any other name is presented."""
    removed = frozenset(task.data.get(REMOVED, ()))
    return tuple(tool for tool in tools if tool.spec.name not in removed)


def _calls(turn: Turn) -> list[ToolCall]:
    return [call for action in turn.gold.actions for call in action.calls]


def _with_rarest(read: frozenset[Column], readers: Counter[Column], columns: Mapping[str, frozenset]) -> frozenset[str]:
    rarest = min(sorted(read), key=lambda column: readers[column], default=())
    return frozenset(name for name, other in columns.items() if rarest in other)
