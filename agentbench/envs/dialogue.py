"""Conversations: the agent works with tools and talks to a user, who decides when it is over.

`Final` is a message to the user, whose reply is the next observation; only the user's last word ends the episode. All
else is as with other tools (`tool_env.py`), but that a call may be made again, for what it shows may have changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from agentbench.envs import EnvStep, Restoring
from agentbench.envs.tool_env import ToolEnv
from agentbench.envs.users import User
from agentbench.tools import Tool
from agentbench.tools.limits import ToolLimits
from agentbench.types import Action, CallTools, Final, Malformed, Observation, Task, ToolCall, ToolSpec


class Scene(Protocol):
    """What a conversation is about: a world, the tools over it, and somebody who wants something."""

    @property
    def tools(self) -> Sequence[Tool]:
        """The agent's."""
        ...

    @property
    def user(self) -> User:
        """Who talks to the agent."""
        ...

    def evidence(self, said: Sequence[str], calls: Sequence[ToolCall], ended: bool) -> dict[str, Any]:
        """What came of it, from the agent's messages and calls and whether the user ended it."""
        ...

    def fork(self) -> Scene:
        """A copy of its own."""
        ...


class DialogueEnv:
    """One conversation."""

    restoring = Restoring.FORK

    def __init__(self, scene: Scene, hand_over: str, limits: ToolLimits | None = None) -> None:
        """`hand_over`: the tool after which the agent's next message is the last one of the conversation."""
        self._scene = scene
        self._hand_over = hand_over
        self._limits = limits
        self._task: Task | None = None
        self._hands_on = ToolEnv(scene.tools, True, limits, repeats=True)
        self._said: list[str] = []
        self._calls: list[ToolCall] = []
        self._ended = False

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """The agent's tools; known after `reset`."""
        return self._hands_on.tools

    async def reset(self, task: Task) -> Observation:
        """Starts the episode: the rules, then what the user says first.

        Raises:
            LlmError: a model behind the user could not answer.
        """
        self._task = task
        await self._hands_on.reset(task)
        said = await self._scene.user.opening()
        return Observation("\n\n".join([*(rule.text for rule in task.rules), said.text]))

    async def step(self, action: Action) -> EnvStep:
        """Carries out a call, or passes a message on.

        Raises:
            LlmError: a model behind the user could not answer.
        """
        match action:
            case Final(answer=message):
                return await self._told(message)
            case CallTools(calls=(call,)):
                self._calls.append(call)
                return await self._hands_on.step(action)
            case CallTools() | Malformed():
                return await self._hands_on.step(action)  # which refuses it

    async def fork(self) -> DialogueEnv:
        """A copy: world, conversation and user's memory are its own."""
        twin = DialogueEnv(self._scene.fork(), self._hand_over, self._limits)
        twin._said, twin._calls, twin._ended = list(self._said), list(self._calls), self._ended
        if self._task is not None:
            twin._task = self._task
            await twin._hands_on.reset(self._task)
        return twin

    def evidence(self) -> dict[str, Any]:
        """What came of the conversation."""
        return self._scene.evidence(self._said, self._calls, self._ended)

    async def close(self) -> None:
        """Nothing is held: databases and models belong to the run."""

    async def _told(self, message: str) -> EnvStep:
        self._said.append(message)
        if any(call.name == self._hand_over for call in self._calls):
            self._ended = True
            return EnvStep(Observation(""), terminated=True)
        said = await self._scene.user.reply(message)
        self._ended = said.ends
        return EnvStep(Observation(said.text), terminated=said.ends)
