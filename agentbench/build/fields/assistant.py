"""Fields of an assistant's tools on requests from a file; `env=assistant`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.build import Report
from agentbench.build.actors import Actor, llm_simulator, llm_summariser
from agentbench.build.encyclopedia import open_encyclopedia
from agentbench.build.fields import Field, nothing, refuse_unknown
from agentbench.build.worlds import task_file
from agentbench.config.env_assistant import AssistantEnv, AssistantTool, PythonConfig
from agentbench.config.tasks import TasksConfig
from agentbench.envs import Environment
from agentbench.envs.tool_env import ToolEnv
from agentbench.errors import DataError
from agentbench.llm.spoken import accounted
from agentbench.tools import Tool
from agentbench.tools.assistant import specs
from agentbench.tools.assistant.outbox import CreateEvent, Outbox, SendEmail
from agentbench.tools.assistant.person import AskUser
from agentbench.tools.assistant.python_process import Limits, RunPython
from agentbench.tools.assistant.web import SearchWeb, WebSettings
from agentbench.tools.function.binding import FunctionTool
from agentbench.tools.function.calculator import calculate
from agentbench.tools.limits import ToolLimits
from agentbench.tools.simulated.simulated_tool import Faults, SimulatedTool, Stage
from agentbench.types import Task, ToolSpec


def assistant_field(env: AssistantEnv, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report) -> Field:
    """An assistant's tools, and the requests of a file.

    Raises:
        PreflightError: a file, an index or a package is missing, or no request is in the file.
        DataError: a file is broken.
    """
    chosen = task_file(tasks, seed)
    shared = _shared(env, cache_dir, report)
    limits = ToolLimits(env.tool_timeout_s, env.tool_concurrency)

    def environment(task: Task) -> Environment:
        made = _episode(env, shared, task, seed)
        return ToolEnv(made.tools, env.enforce_rules, limits, evidence=made.evidence)

    refuse_unknown(env.tool_concurrency, _episode(env, shared, chosen[0], seed).tools)
    return Field(chosen, environment, preflight=shared.preflight, close=shared.close)


class _Shared(NamedTuple):
    """What all episodes of a run use."""

    tools: dict[AssistantTool, Tool]
    """Those that keep nothing."""
    simulator: Actor | None
    preflight: Callable[[], Awaitable[None]] = nothing
    close: Callable[[], Awaitable[None]] = nothing


def _shared(env: AssistantEnv, cache_dir: Path, report: Report) -> _Shared:
    real = [tool for tool in env.tools if tool not in env.simulated]
    made: dict[AssistantTool, Tool] = {
        AssistantTool.CALCULATOR: FunctionTool(specs.CALCULATOR, calculate),
        AssistantTool.RUN_PYTHON: RunPython(_limits(env.python)),
    }
    checks: list[Callable[[], Awaitable[None]]] = []
    closes: list[Callable[[], Awaitable[None]]] = []
    if AssistantTool.SEARCH_ENCYCLOPEDIA in real and env.encyclopedia is not None:
        made[AssistantTool.SEARCH_ENCYCLOPEDIA] = open_encyclopedia(env.encyclopedia, report)
    if AssistantTool.SEARCH_WEB in real and env.web is not None:
        summary = llm_summariser(env.web.summary, cache_dir) if env.web.summary is not None else None
        web = env.web
        settings = WebSettings(web.url, web.pages, web.page_chars, web.timeout_s, web.private_addresses)
        search = SearchWeb(settings, summary.ask if summary is not None else None)
        made[AssistantTool.SEARCH_WEB] = search
        checks += [search.check, *([summary.preflight] if summary else [])]
        closes += [search.close, *([summary.close] if summary else [])]
    simulator = llm_simulator(env.simulator, cache_dir) if env.simulated and env.simulator is not None else None
    if simulator is not None:
        checks.append(simulator.preflight)
        closes.append(simulator.close)
    return _Shared(made, simulator, _all(checks), _all(closes))


def _all(calls: list[Callable[[], Awaitable[None]]]) -> Callable[[], Awaitable[None]]:
    async def one_after_the_other() -> None:
        for call in calls:
            await call()

    return one_after_the_other


def _limits(python: PythonConfig) -> Limits:
    return Limits(python.timeout_s, python.cpu_s, python.memory_mib, python.file_mib, python.output_chars)


class _Episode(NamedTuple):
    tools: tuple[Tool, ...]
    evidence: Callable[[], dict[str, Any]]


def _episode(env: AssistantEnv, shared: _Shared, task: Task, seed: int) -> _Episode:
    """The tools of one episode, with what they keep of it."""
    outbox, person = Outbox(), AskUser(_replies(task))
    own: dict[AssistantTool, Tool] = {
        AssistantTool.ASK_USER: person,
        AssistantTool.SEND_EMAIL: SendEmail(outbox),
        AssistantTool.CREATE_EVENT: CreateEvent(outbox),
    }
    there = {**shared.tools, **own}
    stage = Stage(" ".join(turn.query for turn in task.turns), task.id, seed)
    tools = tuple(
        _simulated(env, shared.simulator, stage, spec_of(name)) if name in env.simulated else there[name]
        for name in env.tools
    )
    return _Episode(tools, lambda: {**outbox.record(), **person.record(), **accounted(stage.spoken)})


def _simulated(env: AssistantEnv, simulator: Actor | None, stage: Stage, spec: ToolSpec) -> Tool:
    assert simulator is not None
    assert env.simulator is not None
    faults = Faults(env.simulator.no_answer, env.simulator.partial_answer)
    return SimulatedTool(spec, stage, simulator.ask, simulator.instructions, faults=faults)


def spec_of(tool: AssistantTool) -> ToolSpec:
    """What an agent is told of a tool, real or simulated."""
    match tool:
        case AssistantTool.CALCULATOR:
            return specs.CALCULATOR
        case AssistantTool.SEARCH_ENCYCLOPEDIA:
            return specs.SEARCH_ENCYCLOPEDIA
        case AssistantTool.SEARCH_WEB:
            return specs.SEARCH_WEB
        case AssistantTool.RUN_PYTHON:
            return specs.RUN_PYTHON
        case AssistantTool.ASK_USER:
            return specs.ASK_USER
        case AssistantTool.SEND_EMAIL:
            return specs.SEND_EMAIL
        case AssistantTool.CREATE_EVENT:
            return specs.CREATE_EVENT


def _replies(task: Task) -> tuple[str, ...]:
    """What the task's user says when asked.

    Raises:
        DataError: the task holds something else under that name.
    """
    given = task.data.get("replies", [])
    if not isinstance(given, list) or not all(isinstance(reply, str) for reply in given):
        raise DataError("tasks.file", f"data.replies of the task {task.id!r} is no list of texts")
    return tuple(given)
