"""Fields of Python functions as tools, on requests from templates or a task file; `env=playground`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Thread
from typing import Any

import orjson

from agentbench.build import ToolMaker
from agentbench.build.fields import Field, refuse_unknown, tool_field
from agentbench.build.worlds import evenly, task_file
from agentbench.config.env_playground import FunctionConfig, PlaygroundEnv
from agentbench.config.suggest import did_you_mean
from agentbench.config.tasks import TasksConfig
from agentbench.envs import Restoring
from agentbench.errors import PreflightError, ToolError
from agentbench.tools.function.binding import FunctionTool, function_at, misfit
from agentbench.types import Task, ToolCall, ToolKind, ToolSpec
from agentbench.worlds.templated import SHIPPED, read_templates, templated_tasks


def playground_field(env: PlaygroundEnv, tasks: TasksConfig, seed: int) -> Field:
    """The declared functions, and the requests.

    Raises:
        PreflightError: a function cannot be found or does not fit its schema, or a template's gold call fails.
        DataError: a file is broken.
    """
    tools = {name: function_tool(name, config) for name, config in env.tools.items()}
    chosen = _requests(env, tools, tasks, seed) if tasks.file is None else task_file(tasks, seed)
    refuse_unknown(env.tool_concurrency, tools.values())
    fixed = tuple(tools.values())
    makers: dict[str, ToolMaker] = {task.domain: lambda _: fixed for task in chosen}
    return tool_field(env, chosen, makers, lambda _: Restoring.REPLAY)


def function_tool(name: str, config: FunctionConfig) -> FunctionTool:
    """A declared tool with its function.

    Raises:
        PreflightError: there is no such function, its schema is none, or the two do not fit.
    """
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(config.parameters)
    except SchemaError as error:
        raise PreflightError(f"env.tools.{name}.parameters: no JSON Schema: {error.message}") from error
    spec = ToolSpec(name, config.description, config.parameters, ToolKind.FUNCTION)
    function = function_at(config.function)
    problem = misfit(spec, function)
    if problem:
        raise PreflightError(f"env.tools.{name}: {config.function} does not fit: {problem}", "change one of the two")
    return FunctionTool(spec, function, blocking=config.blocking)


def _requests(env: PlaygroundEnv, tools: Mapping[str, FunctionTool], tasks: TasksConfig, seed: int) -> tuple[Task, ...]:
    path = env.requests or SHIPPED
    templates = read_templates(path)
    for template in templates:
        for call in template.calls:
            if call.tool not in tools:
                problem = f"{path}: template {template.name!r} calls {call.tool!r}, which env.tools does not declare"
                raise PreflightError(problem + did_you_mean(call.tool, tools), "env.requests=… or tasks.file=…")

    def execute(call: ToolCall) -> Any:
        return orjson.loads(_given(tools[call.name], call.arguments, env.tool_timeout_s))

    try:
        groups = templated_tasks(templates, tasks.split, env.requests_per_template, execute)
    except ToolError as error:
        raise PreflightError(f"{path}: a gold call fails: {error}", "change the template") from error
    drawn = evenly(groups, tasks.limit, seed) if tasks.limit is not None else groups
    return tuple(task for group in drawn for task in group)


def _given(tool: FunctionTool, arguments: dict[str, Any], timeout_s: float) -> str:
    """What a call gives, from a thread of its own: this one may have an event loop, and a call may never come back."""
    found: Future[str] = Future()

    def call() -> None:
        try:
            found.set_result(asyncio.run(tool.call(arguments)).text)
        except Exception as error:  # handed on to whoever waits
            found.set_exception(error)

    Thread(target=call, daemon=True).start()
    try:
        return found.result(timeout_s)
    except TimeoutError as error:
        raise ToolError(f"{tool.spec.name!r} gave no result within {timeout_s:g} s") from error
