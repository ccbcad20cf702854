"""Worlds opened once per run, tools and environments made for each episode, and the tasks that are played."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from agentbench.build import WORLD_SEED, Report
from agentbench.config.env import Availability, M3Env, Granularity, Scenario
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.source import TaskCounts
from agentbench.config.tasks import TasksConfig
from agentbench.envs import Environment
from agentbench.envs.tool_env import ToolEnv
from agentbench.errors import PreflightError
from agentbench.tasks.files import read_tasks
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection
from agentbench.tools.retriever.bm25 import Bm25Retriever
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.types import Task
from agentbench.worlds.embedded import EMBEDDED, prepare_embedded
from agentbench.worlds.manifest import World, read_world


class Playground(NamedTuple):
    """All worlds of a run, opened once and shared by its episodes."""

    worlds: tuple[World, ...]
    tools: dict[str, Callable[[], tuple[Tool, ...]]]
    """By domain: makes the tools of one episode."""
    enforce_rules: bool

    def environment(self, task: Task) -> Environment:
        """A fresh environment for a task.

        Raises:
            PreflightError: the task is about a domain that no world of the run has.
        """
        if task.domain not in self.tools:
            raise PreflightError(f"task {task.id!r} is about {task.domain!r}; the run has {sorted(self.tools)}")
        return ToolEnv(self.tools[task.domain](), self.enforce_rules)


def worlds(env: M3Env, cache_dir: Path, report: Report) -> tuple[World, ...]:
    """The worlds an environment names, prepared first where they are embedded and not there yet.

    Raises:
        PreflightError: a name is neither an embedded domain nor a prepared folder, or two worlds have the same name.
    """
    found = tuple(_world(name, cache_dir, report) for name in env.worlds)
    for name, count in Counter(world.manifest.name for world in found).items():
        if count > 1:
            problem = f"env.worlds holds {count} worlds named {name!r}; tasks could not be told apart"
            raise PreflightError(problem, "prepare one of them under another name with source.name=…")
    return found


def _world(name: str, cache_dir: Path, report: Report) -> World:
    if name in EMBEDDED or not Path(name).exists():
        return prepare_embedded(name, WORLD_SEED, TaskCounts(), cache_dir, report)
    return read_world(Path(name))


def playground(env: M3Env, retriever: RetrieverConfig, found: tuple[World, ...]) -> Playground:
    """Opens the databases and indexes of all worlds.

    Raises:
        PreflightError, DataError: a file of a world is missing or broken.
    """
    indexes = {
        world.manifest.collection.name: Bm25Retriever(world.index)
        for world in found
        if world.manifest.collection is not None
    }
    makers = {world.manifest.name: _tool_maker(world, env, found, indexes, retriever.top_k) for world in found}
    return Playground(found, makers, env.enforce_rules)


def _tool_maker(
    world: World, env: M3Env, found: tuple[World, ...], indexes: dict[str, Bm25Retriever], top_k: int
) -> Callable[[], tuple[Tool, ...]]:
    database = Database(world.database, env.statement_timeout_s)
    collections = _searchable(world, found, env.distractors)
    search: tuple[Tool, ...] = (retrieve_documents_tool(indexes, collections, top_k),) if collections else ()
    manifest, shown = world.manifest, env.shown_values
    match env.tools:
        case Granularity.REST:
            fixed = (*rest_tools(database, manifest.endpoints, shown), *search)
            return lambda: fixed
        case Granularity.SLOT_FILLING:
            return lambda: (*slot_filling_tools(database, manifest.universes, shown), *search)
        case Granularity.SELECTION:
            return lambda: (*selection_tools(database, manifest.universes, shown), *search)


def _searchable(world: World, found: tuple[World, ...], distractors: int) -> tuple[Collection, ...]:
    own = [world.manifest.collection] if world.manifest.collection else []
    others = [other.manifest.collection for other in found if other is not world and other.manifest.collection]
    return tuple(sorted([*own, *others[:distractors]], key=lambda collection: collection.name))


def select_tasks(env: M3Env, tasks: TasksConfig, found: tuple[World, ...], seed: int) -> tuple[Task, ...]:
    """The tasks a run is about: filtered, then drawn evenly over worlds where there is a limit.

    Raises:
        PreflightError: nothing is left.
        DataError: a task file cannot be read.
    """
    per_world = [_matching(read_tasks(world.tasks(env.tools, tasks.split)), env) for world in found]
    if tasks.limit is not None:
        per_world = _evenly(per_world, tasks.limit, seed)
    chosen = tuple(task for group in per_world for task in group)
    if not chosen:
        wanted = f"scenario={env.scenario} tool_availability={env.tool_availability} split={tasks.split}"
        raise PreflightError(f"no task matches {wanted} in {[world.manifest.name for world in found]}")
    return chosen


def _matching(tasks: Sequence[Task], env: M3Env) -> list[Task]:
    return [
        task
        for task in tasks
        if env.scenario in (Scenario.ANY, task.data.get("scenario"))
        and env.tool_availability in (Availability.ANY, task.data.get("tool_availability"))
    ]


def _evenly(groups: list[list[Task]], limit: int, seed: int) -> list[list[Task]]:
    rng = random.Random(seed)
    left, shares = limit, []
    for waiting, group in sorted(enumerate(groups), key=lambda item: len(item[1])):
        share = min(len(group), left // (len(groups) - len(shares)))
        left -= share
        keep = set(rng.sample(range(len(group)), share))
        shares.append((waiting, [task for index, task in enumerate(group) if index in keep]))
    return [share for _, share in sorted(shares, key=lambda item: item[0])]
