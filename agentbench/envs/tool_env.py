"""The M3-style environment: one tool per step over databases and documents, an answer ends a turn.

Everything an agent can do wrong is an observation with its outcome: unreadable text, an unknown tool, arguments that
are missing, too many or of the wrong type, a tool that does not exist in this episode or that a rule forbids, a call
made before. The last turn's answer ends the episode; an earlier one brings the user's next turn.

Availability takes tools away before the episode begins (a call to one gets `unavailable`); rules are words the agent
is told, and with `enforce_rules` a call against them gets `rule_broken` and is not carried out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from agentbench.config.secrets import without_known
from agentbench.config.suggest import did_you_mean
from agentbench.envs import EnvStep, Restoring
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.forking import forked
from agentbench.tools.limits import ToolLimits
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

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

LONGEST_COMPLAINT = 300
"""Longest part of a complaint that quotes what the agent wrote, in characters."""


class ToolEnv:
    """One episode with a fixed set of tools."""

    def __init__(
        self,
        tools: Sequence[Tool],
        enforce_rules: bool,
        limits: ToolLimits | None = None,
        restoring: Restoring = Restoring.NEVER,
        *,
        evidence: Callable[[], dict[str, Any]] = dict,
        repeats: bool = False,
    ) -> None:
        """`limits` of time and number of calls, shared by the episodes of a run; off: tools have only their own.

        `evidence` gives what tools have kept of the episode that its history does not hold. With `repeats` a call that
        was made before is made again: what it tells may have changed.

        With `restoring=FORK`, tools that `forked` does not copy must keep nothing between calls.
        """
        self.restoring = restoring
        self._evidence = evidence
        self._repeats = repeats
        self._all = {tool.spec.name: tool for tool in tools}
        self._usable: dict[str, Tool] = {}
        self._enforce_rules = enforce_rules
        self._limits = limits
        self._forbidden: frozenset[ToolKind] = frozenset()
        self._queries: list[str] = []
        self._made: set[str] = set()
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

    async def fork(self) -> ToolEnv:
        """A copy with handles, calls made and turns of its own; databases and indexes are shared.

        Raises:
            NotImplementedError: the environment was not made to be copied.
        """
        if self.restoring is not Restoring.FORK:
            raise NotImplementedError(f"restoring={self.restoring.value}: this environment cannot be copied")
        twin = ToolEnv(
            forked(self._all.values()), self._enforce_rules, self._limits, self.restoring, repeats=self._repeats
        )
        twin._usable = {name: twin._all[name] for name in self._usable}
        twin._specs, twin._forbidden = self._specs, self._forbidden
        twin._queries, twin._made = list(self._queries), set(self._made)
        return twin

    def evidence(self) -> dict[str, Any]:
        """What its tools kept; of most, nothing: the history holds all there is."""
        return self._evidence()

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
        key = orjson.dumps([call.name, call.arguments], option=orjson.OPT_SORT_KEYS).decode()
        if key in self._made and not self._repeats:
            return _complaint(Outcome.REPEATED, "this call was made before, its result stands above")
        try:
            observation = await self._result(tool, call.arguments)
        except ToolError as error:
            return _complaint(Outcome.TOOL_ERROR, without_known(str(error)))
        self._made.add(key)
        return observation

    async def _result(self, tool: Tool, arguments: dict[str, Any]) -> Observation:
        return await (tool.call(arguments) if self._limits is None else self._limits.call(tool, arguments))

    def _no_such_tool(self, name: str) -> Observation:
        if name in self._all:
            return _complaint(Outcome.UNAVAILABLE, f"the tool {name!r} is not available here")
        name = _cut(name)
        return _complaint(Outcome.UNKNOWN_TOOL, f"there is no tool {name!r}{did_you_mean(name, self._usable)}")


def argument_problem(spec: ToolSpec, arguments: dict[str, Any]) -> str:
    """What is wrong with a call's arguments, all of it in one line; empty when they satisfy the tool's schema."""
    schema = orjson.dumps(spec.parameters)
    if _surely_fit(schema, arguments):
        return ""
    return "; ".join(_problem(error) for error in _validator(schema).iter_errors(arguments))


_PLAIN_TYPES = {"string": str, "integer": int, "boolean": bool}
_WORDS_ONLY = frozenset({"description", "title", "default"})
_OF_OBJECTS = _WORDS_ONLY | {"required", "additionalProperties"}


def _surely_fit(schema: bytes, arguments: dict[str, Any]) -> bool:
    """Whether arguments satisfy a schema that says nothing but names and plain types; a validator costs 100 times more.

    False does not mean that they do not.
    """
    plain = _plain_parameters(schema)
    if plain is None or not plain.required <= arguments.keys():
        return False
    return all(type(value) is plain.types.get(name) for name, value in arguments.items())


class _Plain(NamedTuple):
    types: Mapping[str, type | None]
    """`None` where the schema says more than a type."""
    required: frozenset[str]


@lru_cache(maxsize=4096)
def _plain_parameters(schema: bytes) -> _Plain | None:
    """The parameters of a schema where it says nothing else."""
    match orjson.loads(schema):
        case {"type": "object", "properties": dict(properties), **rest} if rest.keys() <= _OF_OBJECTS:
            types = {name: _plain_type(each) for name, each in properties.items()}
            return _Plain(types, frozenset(rest.get("required", ())))
        case _:
            return None


def _plain_type(schema: Any) -> type | None:
    match schema:
        case {"type": str(name), **rest} if rest.keys() <= _WORDS_ONLY:
            return _PLAIN_TYPES.get(name)
        case _:
            return None


@lru_cache(maxsize=4096)
def _validator(schema: bytes) -> Any:
    from jsonschema import Draft202012Validator  # a tenth of a second, and most calls do not need it

    return Draft202012Validator(orjson.loads(schema))


def _problem(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path)
    message = _cut(error.message)
    return f"argument {place!r}: {message}" if place else message


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_COMPLAINT else f"{text[:LONGEST_COMPLAINT]} …"


def _complaint(outcome: Outcome, message: str) -> Observation:
    return Observation(orjson.dumps({"error": message}).decode(), outcome)
