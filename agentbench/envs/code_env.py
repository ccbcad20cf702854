"""The environment of coding agents: one tool, `python(code)`, in a world that AppWorld keeps for the episode.

The episode ends when code marks the task as completed, or when the agent answers in words instead; either way, and at
the last step, AppWorld's own tests judge the world as it then stands. Their verdict is the environment's evidence: the
share of tests that passed is the part `tests`. Much of that share is tests that an agent passes by doing nothing, such
as that nobody else's account was touched; read it beside an idle agent's.

Code that raises, is refused or takes too long is a `tool_error` for the step. Code that catches its own errors is not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from agentbench.config.env_appworld import Docs
from agentbench.envs import EnvStep, Restoring
from agentbench.envs.tool_env import argument_problem
from agentbench.tools.code import PYTHON
from agentbench.tools.code.appworld import Judged, Opened, World
from agentbench.types import (
    Action,
    CallTools,
    Final,
    Malformed,
    Observation,
    Outcome,
    Task,
    ToolCall,
    ToolSpec,
    Verdict,
)

VERDICT = "verdict"
FAILED_TESTS_KEPT = 20


class CodeEnv:
    """One episode in one world."""

    restoring = Restoring.REPLAY
    """Time stands still in a world and chance has a seed, so the same code is answered alike."""

    def __init__(self, open_world: Callable[[str], Awaitable[World]], docs: Docs, most_steps: int) -> None:
        """`open_world` gives the world of a task's id; `docs`: what the agent is told of the apps at the beginning;
        `most_steps`: after so many the world is judged, and the episode truncated."""
        self._open_world = open_world
        self._docs = docs
        self._left = most_steps
        self._world: World | None = None
        self._judged: Judged | None = None

    @property
    def tools(self) -> tuple[ToolSpec, ...]:
        """`python`."""
        return (PYTHON,)

    async def reset(self, task: Task) -> Observation:
        """Opens the world; what the user asks, who the user is, and which apps there are.

        Raises:
            ToolServerError: the world cannot be opened.
        """
        self._world = await self._open_world(task.id)
        return Observation(opening_text(self._world.opened, self._docs))

    async def step(self, action: Action) -> EnvStep:
        """Carries out one action; misuse is an observation.

        Raises:
            ToolServerError: the world is lost.
        """
        assert self._world is not None
        answer = await self._carried_out(action, self._world)
        self._left -= 1
        if self._left <= 0 and not answer.terminated:
            answer = dataclasses.replace(answer, truncated=True)
        if answer.terminated or answer.truncated:
            self._judged = await self._world.evaluate()
        return answer

    async def fork(self) -> CodeEnv:
        """A world cannot be copied, only played again.

        Raises:
            NotImplementedError: always.
        """
        raise NotImplementedError("restoring=replay: a world is played again, not copied")

    def evidence(self) -> dict[str, Any]:
        """AppWorld's verdict; nothing where the episode did not come to its end."""
        return {VERDICT: dataclasses.asdict(verdict(self._judged))} if self._judged is not None else {}

    async def close(self) -> None:
        """Ends the world's process."""
        if self._world is not None:
            await self._world.close()

    async def _carried_out(self, action: Action, world: World) -> EnvStep:
        match action:
            case Malformed(reason=reason):
                return EnvStep(_complaint(Outcome.MALFORMED, reason))
            case Final():
                return EnvStep(Observation(""), terminated=True)
            case CallTools(calls=(call,)):
                return await self._run(call, world)
            case CallTools(calls=calls):
                return EnvStep(_complaint(Outcome.MALFORMED, f"one call per step, not {len(calls)}"))

    async def _run(self, call: ToolCall, world: World) -> EnvStep:
        if call.name != PYTHON.name:
            return EnvStep(_complaint(Outcome.UNKNOWN_TOOL, f"there is no tool {call.name[:100]!r}, only 'python'"))
        if problem := argument_problem(PYTHON, call.arguments):
            return EnvStep(_complaint(Outcome.BAD_ARGUMENTS, problem))
        code: str = call.arguments["code"]
        if not is_encodable(code):
            return EnvStep(_complaint(Outcome.BAD_ARGUMENTS, "argument 'code': holds half a character (a surrogate)"))
        done = await world.execute(code)
        outcome = Outcome.TOOL_ERROR if done.failed else Outcome.OK
        return EnvStep(Observation(done.text, outcome), terminated=done.completed)


def opening_text(opened: Opened, docs: Docs) -> str:
    """What the user says first, with as much about the apps as is wanted."""
    user = opened.user
    who = f"I am {user['first_name']} {user['last_name']}, {user['email']}, {user['phone_number']}."
    return "\n".join([*_docs_lines(opened, docs), who, opened.instruction])


def verdict(judged: Judged) -> Verdict:
    """AppWorld's tests as a verdict."""
    if judged.solved is None:
        return Verdict(None, "the task has no tests here")
    share = judged.passed / judged.tests if judged.tests else 0.0
    failed = "; ".join(judged.failed[:FAILED_TESTS_KEPT])
    said = f"{judged.passed} of {judged.tests} tests passed" + (f"; not: {failed}" if failed else "")
    return Verdict(judged.solved, said, {"tests": share})


def is_encodable(text: str) -> bool:
    """Whether a text can be written down: JSON may hold halves of characters."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _docs_lines(opened: Opened, docs: Docs) -> list[str]:
    match docs:
        case Docs.NONE:
            return []
        case Docs.APPS:
            return ["Apps:", *(f"- {name}: {text}" for name, text in opened.apps.items()), ""]
        case Docs.APIS:
            apis = ((app, name, text) for app, found in opened.apis.items() for name, text in found.items())
            return ["APIs:", *(f"- apis.{app}.{name}: {text}" for app, name, text in apis), ""]


def _complaint(outcome: Outcome, message: str) -> Observation:
    return Observation(orjson.dumps({"error": message}).decode(), outcome)
