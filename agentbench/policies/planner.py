"""An agent of two parts: a planner names the next task and its tool, a caller turns the task into arguments.

Planning is separated from function calling so that the planner can be small, and be trained on nothing but plans
(B. Xu et al. (2023), ReWOO, https://arxiv.org/abs/2305.18323, plans all steps at once; here one at a time, each after
the result of the one before). Both write JSON that is held to a schema while it is drawn, so what goes wrong is what is
said, not its form; the schema of plans names the tools, and a tool that does not exist cannot be chosen.

Constraining can cost correctness: a model that was never trained on the form may say something else than it would have
(see the README's references); `guided=false` shows how it does on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.llm import Request
from agentbench.llm.structured import read_object
from agentbench.policies.callers import Assignment, Called, Caller, Voice, explained
from agentbench.policies.chat import step_seed
from agentbench.policies.plans import (
    ANSWER,
    ANSWER_SPEC,
    PLANNER,
    Schema,
    Seen,
    plan_schema,
    planner_view,
)
from agentbench.templates import Rendered
from agentbench.types import Action, CallTools, Decision, Final, Generation, History, Malformed, ToolCall, ToolSpec

PLANNER_PROMPT = Path(__file__).parent / "prompts" / "planner.txt"
"""The instructions a planner gets where the configuration names no others."""
CALLER_PROMPT = Path(__file__).parent / "prompts" / "caller.txt"


class PlannerSettings(NamedTuple):
    """How plans are asked for."""

    list_tools: bool
    guided: bool
    task_chars: int


class Callers(NamedTuple):
    """Who writes arguments."""

    caller: Caller
    specialists: Mapping[str, Caller]
    """Callers of one tool each."""
    direct: frozenset[str] = frozenset()
    """Tools that take the task itself as their one text."""

    def of(self, tool: str) -> Caller:
        """The one who writes the arguments of a tool."""
        return self.specialists.get(tool, self.caller)


class Planner:
    """The policy; it keeps its view of the episode, to which the next step adds. The history is all that decides."""

    def __init__(self, voice: Voice, callers: Callers, settings: PlannerSettings, seed: int) -> None:
        self._voice = voice
        self._callers = callers
        self._settings = settings
        self._seed = seed
        self._seen: Seen | None = None
        self._latest: Rendered | None = None

    async def act(self, history: History) -> Decision:
        """The next call or answer; a plan or arguments that cannot be read become a `Malformed` action.

        Raises:
            LlmError: the planner's or the caller's model could not answer.
        """
        names = tuple(spec.name for spec in history.tools)
        schema = plan_schema(names, self._settings.task_chars)
        said = await self._plan(history, schema)
        plan, problem = read_object(said.completion, schema)
        if problem:
            return _malformed(said.completion, f"the plan is unusable: {explained(problem, said)}", (said,))
        tool = next((spec for spec in history.tools if spec.name == plan["tool"]), ANSWER_SPEC)
        called = await self._call(history, tool, plan["task"])
        generations = (said, *called.generations)
        if called.problem:
            return _malformed(said.completion, f"the arguments are unusable: {called.problem}", generations)
        return Decision(_action(tool, called.arguments, plan["task"]), generations=generations)

    async def _plan(self, history: History, schema: Schema) -> Generation:
        voice, view = self._voice, planner_view(history, self._settings.list_tools, self._seen)
        self._seen = Seen(history, view)
        self._latest = Rendered(view, voice.template.render(view, self._latest))
        request = Request(
            self._latest.prompt,
            voice.sampling,
            step_seed(self._seed, len(history.steps)),
            (*voice.template.stop, *voice.stop),
            role=PLANNER,
            schema=schema if self._settings.guided else None,
            episode=self._seed,
        )
        return await voice.llm.generate(request)

    async def _call(self, history: History, tool: ToolSpec, task: str) -> Called:
        if tool.name in self._callers.direct and (name := only_text(tool)):
            return Called({name: task})
        seed = step_seed(self._seed, -1 - len(history.steps))
        return await self._callers.of(tool.name).call(Assignment(history, tool, task, seed, self._seed))


def only_text(tool: ToolSpec) -> str:
    """The name of a tool's only required argument where that is a text; empty where it is something else."""
    required: list[str] = tool.parameters.get("required", [])
    properties: dict[str, Any] = tool.parameters.get("properties", {})
    if len(required) == 1 and properties.get(required[0], {}).get("type") == "string":
        return required[0]
    return ""


def _action(tool: ToolSpec, arguments: dict[str, Any], task: str) -> Action:
    if tool.name == ANSWER:
        return Final(arguments["answer"], task)
    return CallTools((ToolCall(tool.name, arguments),), task)


def _malformed(text: str, reason: str, generations: tuple[Generation, ...]) -> Decision:
    return Decision(Malformed(text, reason), generations=generations)
