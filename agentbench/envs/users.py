"""Users to talk to: what they say, what they do with tools of their own, and when they have had enough.

A user is anything with `opening`, `reply` and `fork`. `ScriptedUser` costs nothing and is the same every time: enough
to play reference actions, to test, and to compare agents by what they do rather than by how they talk. It is no
stand-in for people: it never changes its mind, misunderstands or insists.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from agentbench.envs.tool_env import argument_problem
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.types import Generation, ToolCall, ToolSpec

GO_ON = "Yes, please go ahead."
NOTHING_LEFT = "That is all, thank you."
SHOWN_CHARS = 1500
"""Most characters of a result that a scripted user passes on."""


class Said(NamedTuple):
    """One message of a user; with `ends` the last one."""

    text: str
    ends: bool = False


class Done(NamedTuple):
    """A call that a user made, and what came of it."""

    call: ToolCall
    result: str


class User(Protocol):
    """Somebody an agent talks to in one episode."""

    @property
    def spoken(self) -> Sequence[Generation]:
        """What a model behind the user said so far; a fork begins with none."""
        ...

    async def opening(self) -> Said:
        """What the user says first."""
        ...

    async def reply(self, message: str) -> Said:
        """The answer to a message of the agent.

        Raises:
            LlmError: a model behind the user could not answer.
        """
        ...

    def fork(self, hands: Hands) -> User:
        """The same user at the same point of the conversation, with other tools in hand."""
        ...


class Hands:
    """A user's own tools, and a record of what was done with them."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}
        self.done: list[Done] = []

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """What the user can do."""
        return tuple(tool.spec for tool in self._tools.values())

    async def use(self, call: ToolCall) -> str:
        """What came of a call, as JSON; a refusal is a result too."""
        result = await self._result(call)
        self.done.append(Done(call, result))
        return result

    def fork(self, tools: Sequence[Tool]) -> Hands:
        """The same record, and other tools."""
        twin = Hands(tools)
        twin.done = list(self.done)
        return twin

    async def _result(self, call: ToolCall) -> str:
        tool = self._tools.get(call.name)
        if tool is None:
            return _refused(f"there is no {call.name!r} here")
        problem = argument_problem(tool.spec, call.arguments)
        if problem:
            return _refused(problem)
        try:
            return (await tool.call(call.arguments)).text
        except ToolError as error:
            return _refused(str(error))


class Script(NamedTuple):
    """What a scripted user goes by."""

    opening: str
    arguments: Mapping[str, Sequence[Mapping[str, Any]]]
    """How the user uses their tools, by name: the first way at the first time, the last one from then on."""
    patience: int = 2
    """Messages in a row that ask for nothing; at the last of them the user ends the conversation."""


class ScriptedUser:
    """Agrees to everything, and uses a tool where a message of the agent names it."""

    def __init__(self, script: Script, hands: Hands) -> None:
        self._script = script
        self._hands = hands
        self._idle = 0
        self._used: dict[str, int] = {}

    @property
    def spoken(self) -> Sequence[Generation]:
        """Nothing: there is no model."""
        return ()

    async def opening(self) -> Said:
        """The script's opening."""
        return Said(self._script.opening)

    async def reply(self, message: str) -> Said:
        """What came of the tools that the message names, in its order; else a yes, or the end."""
        calls = [self._call(spec) for spec in self._named(message)]
        if calls:
            self._idle = 0
            results = [f"{call.name}: {(await self._hands.use(call))[:SHOWN_CHARS]}" for call in calls]
            return Said("\n".join(results))
        self._idle += 1
        return Said(NOTHING_LEFT, True) if self._idle >= self._script.patience else Said(GO_ON)

    def fork(self, hands: Hands) -> ScriptedUser:
        """A copy with the same memory."""
        twin = ScriptedUser(self._script, hands)
        twin._idle, twin._used = self._idle, copy.copy(self._used)
        return twin

    def _named(self, message: str) -> list[ToolSpec]:
        """The user's tools in the order in which the message names them, each as often as it does."""
        specs = {spec.name.replace("_", " "): spec for spec in self._hands.specs}
        if not specs:
            return []
        longest_first = "|".join(sorted(specs, key=len, reverse=True))
        words = re.sub(r"[^a-z0-9]+", " ", message.lower())
        return [specs[name] for name in re.findall(rf"\b(?:{longest_first})\b", words)]

    def _call(self, spec: ToolSpec) -> ToolCall:
        ways = self._script.arguments.get(spec.name, ({},))
        count = self._used.get(spec.name, 0)
        self._used[spec.name] = count + 1
        return ToolCall(spec.name, dict(ways[min(count, len(ways) - 1)]))


MakeUser = Callable[[Hands], User]
"""A user with tools in hand, for one episode."""


def _refused(problem: str) -> str:
    return orjson.dumps({"error": problem}).decode()
