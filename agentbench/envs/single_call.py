"""One question, one action: what is called is looked at, never run, and the first action ends the episode.

The tools are the task's own (`tasks.own_tools`). An action may hold several calls, which the data sets that are played
this way call parallel; an answer in words means that nothing is called. Arguments are not checked against the schema:
gold calls of real data sets break their own, and what a wrong one is worth is the scorer's matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from agentbench.config.suggest import did_you_mean
from agentbench.envs import EnvStep, Restoring
from agentbench.errors import DataError
from agentbench.tasks.own_tools import own_tools
from agentbench.types import Action, CallTools, Final, Malformed, Observation, Outcome, Task, ToolCall, ToolSpec


class SingleCall:
    """One episode of one step."""

    restoring = Restoring.FORK

    def __init__(self) -> None:
        self._tools: tuple[ToolSpec, ...] = ()

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The task's own; known after `reset`."""
        return self._tools

    async def reset(self, task: Task) -> Observation:
        """The task's rules and its question.

        Raises:
            DataError: the task has no tools in its data, or more turns than one.
        """
        if len(task.turns) != 1:
            problem = f"it has {len(task.turns)} turns, and its first action ends it"
            raise DataError(f"task {task.id!r}", problem, next_step="give earlier turns with their answers")
        allowed = task.tools_allowed
        self._tools = tuple(tool for tool in own_tools(task) if allowed is None or tool.kind in allowed)
        return Observation("\n".join([*(rule.text for rule in task.rules), task.turns[0].query]))

    async def step(self, action: Action) -> EnvStep:
        """Ends the episode; text that is no action, and a tool that is not offered, are named."""
        match action:
            case Malformed(reason=reason):
                return EnvStep(_complaint(Outcome.MALFORMED, reason), terminated=True)
            case Final():
                return EnvStep(Observation(""), terminated=True)
            case CallTools(calls=()):
                return EnvStep(_complaint(Outcome.MALFORMED, "no call"), terminated=True)
            case CallTools(calls=calls):
                return EnvStep(self._looked_at(calls), terminated=True)

    async def fork(self) -> SingleCall:
        """The same tools once more."""
        twin = SingleCall()
        twin._tools = self._tools
        return twin

    def evidence(self) -> dict[str, Any]:
        """Nothing: task and action say all there is."""
        return {}

    async def close(self) -> None:
        """Nothing is held."""

    def _looked_at(self, calls: Sequence[ToolCall]) -> Observation:
        offered = [tool.name for tool in self._tools]
        for call in calls:
            if call.name not in offered:
                name = call.name[:100]
                return _complaint(Outcome.UNKNOWN_TOOL, f"there is no tool {name!r}{did_you_mean(name, offered)}")
        return Observation("")


def _complaint(outcome: Outcome, message: str) -> Observation:
    return Observation(orjson.dumps({"error": message}).decode(), outcome)
