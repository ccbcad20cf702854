"""Where episodes take place: what a run opens once, its tasks, and an environment for each episode.

One module per kind of environment; `opening.py` chooses among them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

from agentbench.build import ToolMaker
from agentbench.config.env import EarlierTurns
from agentbench.config.suggest import did_you_mean
from agentbench.envs import Environment, Restoring
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.clock import Waited
from agentbench.errors import ConfigError, PreflightError
from agentbench.tasks.turns import with_given_turns
from agentbench.tools import Tool
from agentbench.tools.limits import ToolLimits
from agentbench.types import Task
from agentbench.worlds.manifest import World


async def nothing() -> None:
    """There is nobody to ask, and nothing to free."""


def nothing_more(_folder: Path) -> None:
    """Trajectories and figures are all that a run writes."""


def never(_domain: str) -> Restoring:
    """No state can be had again."""
    return Restoring.NEVER


class Field(NamedTuple):
    """All that the episodes of a run share."""

    tasks: tuple[Task, ...]
    environment: Callable[[Task], Environment]
    """A fresh environment for a task; raises PreflightError where the task is about something the run does not have."""
    restoring: Callable[[str], Restoring] = never
    """How the state of a domain's episodes can be had again."""
    preflight: Callable[[], Awaitable[None]] = nothing
    """Asks servers whether they are there, before the first episode."""
    close: Callable[[], Awaitable[None]] = nothing
    """Frees databases and connections."""
    breakers: tuple[Waited, ...] = ()
    """What knows whether the servers of models in it are there: episodes are not timed while these are waited for."""
    worlds: tuple[World, ...] = ()
    """Those whose files the run reads."""
    tools: Mapping[str, ToolMaker] = MappingProxyType({})
    """By domain, where an episode is made of such tools alone."""
    export: Callable[[Path], None] = nothing_more
    """Writes what came of a run, from its folder, as the makers of its tasks want it."""


class ToolSettings(Protocol):
    """What environments of tools are all told."""

    @property
    def enforce_rules(self) -> bool:
        """Whether a call that a task's rules forbid is refused."""
        ...

    @property
    def tool_timeout_s(self) -> float:
        """Longest time one call may take, in seconds."""
        ...

    @property
    def tool_concurrency(self) -> dict[str, int]:
        """Most calls under way at once, by name of tool."""
        ...


def tool_field(
    env: ToolSettings,
    tasks: tuple[Task, ...],
    tools: Mapping[str, ToolMaker],
    restoring: Callable[[str], Restoring] = never,
) -> Field:
    """A field whose environments hold the tools of their task's domain, and nothing else."""
    limits = ToolLimits(env.tool_timeout_s, env.tool_concurrency)

    def environment(task: Task) -> Environment:
        if task.domain not in tools:
            raise PreflightError(f"task {task.id!r} is about {task.domain!r}; the run has {sorted(tools)}")
        return ToolEnv(tools[task.domain](task), env.enforce_rules, limits, restoring(task.domain))

    return Field(tasks, environment, restoring, tools=tools)


def refuse_unknown(named: Iterable[str], tools: Iterable[Tool]) -> None:
    """Lets limits pass whose tools exist; one for a tool that nobody has would do nothing.

    Raises:
        ConfigError: there is no such tool.
    """
    known = sorted({tool.spec.name for tool in tools})
    for name in named:
        if name not in known:
            raise ConfigError([f"env.tool_concurrency: there is no tool {name!r}{did_you_mean(name, known)}"])


def asked(tasks: tuple[Task, ...], earlier: EarlierTurns) -> tuple[Task, ...]:
    """Tasks as they are asked: with all their turns, or with the last one alone."""
    return tuple(with_given_turns(task) for task in tasks) if earlier is EarlierTurns.GIVEN else tasks
