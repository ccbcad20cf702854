"""The playground: Python functions as tools, declared in configuration."""

from __future__ import annotations

import re
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from agentbench.config.env_played import PlayedEnv
from agentbench.config.schema import schema

if TYPE_CHECKING:
    from agentbench.config.env import EnvConfig

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")


@schema
class FunctionConfig:
    """One tool: what the agent is told, and the function that answers."""

    function: str
    """Dotted path, `module.function`; modules in the working directory are found too."""
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the arguments: `type: object` with `properties` and `required`."""
    blocking: bool = False
    """Run it in a thread, for functions that wait or compute for more than some milliseconds."""


@schema
class PlaygroundEnv(PlayedEnv):
    """Functions as tools, on requests made from templates or read from a task file (`tasks.file`)."""

    kind: Literal["playground"] = "playground"
    tools: dict[str, FunctionConfig]
    """By name. conf/env/playground.yaml declares three that come along."""
    requests: Path | None = None
    """YAML file with templates of requests in several wordings. Off: the ones that come along."""
    requests_per_template: Annotated[int, Field(ge=1, le=100_000)] = 500
    """Requests of each template, over all splits."""
    enforce_rules: bool = True
    """Whether a call that a task's rules forbid is refused (otherwise it is carried out and only recorded)."""
    tool_timeout_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest time one tool call may take, in seconds; past it the agent is told so."""
    tool_concurrency: dict[str, Annotated[int, Field(ge=1)]] = field(default_factory=dict)
    """Most calls under way at once, over all episodes, by name of tool. Others: any."""


def playground_tools_are_whole(env: EnvConfig) -> str:
    """Names that servers take, paths that can be imported, schemas of objects."""
    if not isinstance(env, PlaygroundEnv):
        return ""
    problems = [problem for name, tool in env.tools.items() if (problem := _problem(name, tool))]
    return "; ".join(problems) if problems else "" if env.tools else "env.tools: names no tool"


def _problem(name: str, tool: FunctionConfig) -> str:
    key = f"env.tools.{name}"
    if not _NAME.fullmatch(name):
        return f"{key}: names are up to 64 letters, digits, _ and -"
    if not _PATH.fullmatch(tool.function):
        return f"{key}.function: {tool.function!r} is no dotted path like module.function"
    parameters, kind = tool.parameters, tool.parameters.get("type")
    if kind != "object" or not isinstance(parameters.get("properties", {}), dict):
        return f"{key}.parameters: a JSON Schema with type: object and properties is expected, got type {kind!r}"
    unknown = [each for each in parameters.get("required", ()) if each not in parameters.get("properties", {})]
    return f"{key}.parameters.required: {unknown[0]!r} is not among the properties" if unknown else ""
