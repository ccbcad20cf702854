"""The M3-style environment: one tool per step over databases and documents, an answer ends a turn.

Everything an agent can do wrong is an observation with its outcome: unreadable text, an unknown tool, arguments that
are missing, too many or of the wrong type, a tool that does not exist in this episode or that a rule forbids, a call
made before. The last turn's answer ends the episode; an earlier one brings the user's next turn.

Availability takes tools away before the episode begins (a call to one gets `unavailable`); rules are words the agent
is told, and with `enforce_rules` a call against them gets `rule_broken` and is not carried out.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from agentbench.config.suggest import did_you_mean
from agentbench.envs import EnvStep
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.types import (
    Action,
    CallTools,
    Final,
    Malformed,
    Observation,
    Outcome,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
)

LONGEST_COMPLAINT = 300
"""Longest part of a complaint that quotes what the agent wrote, in characters."""


class ToolEnv:
    """One episode with a fixed set of tools."""

    def __init__(self, tools: Sequence[Tool], enforce_rules: bool) -> None:
        self._all = {tool.spec.name: tool for tool in tools}
        self._usable: dict[str, Tool] = {}
        self._enforce_rules = enforce_rules
        self._forbidden: frozenset[ToolKind] = frozenset()
        self._queries: list[str] = []
        self._made: set[bytes] = set()
        self._specs: tuple[ToolSpec, ...] = ()

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The tools of this episode; known after `reset`."""
        return self._specs

    async def reset(self, task: Task) -> Observation:
        """Starts the episode: the rules, then the user's first turn."""
        allowed = task.tools_allowed
        self._usable = {name: tool for name, tool in self._all.items() if allowed is None or tool.spec.kind in allowed}
        self._specs = tuple(tool.spec for tool in self._usable.values())
        self._forbidden = frozenset(kind for rule in task.rules for kind in rule.forbids)
        self._queries = [turn.query for turn in task.turns]
        return Observation("\n".join([*(rule.text for rule in task.rules), self._queries.pop(0)]))

    async def step(self, action: Action) -> EnvStep:
        """Carries out one action; misuse is an observation, never an exception."""
        match action:
            case Malformed(reason=reason):
                return EnvStep(_complaint(Outcome.MALFORMED, reason))
            case Final():
                ends = not self._queries
                return EnvStep(Observation("" if ends else self._queries.pop(0)), terminated=ends)
            case CallTools(calls=(call,)):
                return EnvStep(await self._call(call))
            case CallTools(calls=calls):
                return EnvStep(_complaint(Outcome.MALFORMED, f"one tool per step, not {len(calls)}"))

    def evidence(self) -> dict[str, Any]:
        """Nothing: the history holds all there is."""
        return {}

    async def close(self) -> None:
        """Nothing is held: databases and indexes belong to the run."""

    async def _call(self, call: ToolCall) -> Observation:
        tool = self._usable.get(call.name)
        if tool is None:
            return self._no_such_tool(call.name)
        problem = argument_problem(tool.spec, call.arguments)
        if problem:
            return _complaint(Outcome.BAD_ARGUMENTS, problem)
        if self._enforce_rules and tool.spec.kind in self._forbidden:
            return _complaint(Outcome.RULE_BROKEN, f"the rules do not allow {call.name!r}")
        key = orjson.dumps([call.name, call.arguments], option=orjson.OPT_SORT_KEYS)
        if key in self._made:
            return _complaint(Outcome.REPEATED, "this call was made before, its result stands above")
        try:
            observation = await tool.call(call.arguments)
        except ToolError as error:
            return _complaint(Outcome.TOOL_ERROR, str(error))
        self._made.add(key)
        return observation

    def _no_such_tool(self, name: str) -> Observation:
        if name in self._all:
            return _complaint(Outcome.UNAVAILABLE, f"the tool {name!r} is not available here")
        name = _cut(name)
        return _complaint(Outcome.UNKNOWN_TOOL, f"there is no tool {name!r}{did_you_mean(name, self._usable)}")


def argument_problem(spec: ToolSpec, arguments: dict[str, Any]) -> str:
    """What is wrong with a call's arguments, all of it in one line; empty when they satisfy the tool's schema."""
    validator = _validator(orjson.dumps(spec.parameters))
    return "; ".join(_problem(error) for error in validator.iter_errors(arguments))


@lru_cache(maxsize=4096)
def _validator(schema: bytes) -> Any:
    return Draft202012Validator(orjson.loads(schema))


def _problem(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    message = _cut(error.message)
    return f"argument {place!r}: {message}" if place else message


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_COMPLAINT else f"{text[:LONGEST_COMPLAINT]} …"


def _complaint(outcome: Outcome, message: str) -> Observation:
    return Observation(orjson.dumps({"error": message}).decode(), outcome)
