"""Which worlds a run is about, and which of their tasks are played."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from agentbench.build import WORLD_SEED, Report
from agentbench.config.env import Availability, EnvConfig, M3Env, Scenario
from agentbench.config.source import TaskCounts
from agentbench.config.tasks import TasksConfig
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.files import read_tasks
from agentbench.types import Task
from agentbench.worlds.embedded import EMBEDDED, prepare_embedded
from agentbench.worlds.manifest import World, read_world

T = TypeVar("T")


def worlds(env: EnvConfig, cache_dir: Path, report: Report) -> tuple[World, ...]:
    """The worlds an environment names, prepared first where they are embedded and not there yet; most have none.

    Raises:
        PreflightError: a name is neither an embedded domain nor a prepared folder, or two worlds have the same name.
    """
    names = env.worlds if isinstance(env, M3Env) else ()
    found = tuple(_world(name, cache_dir, report) for name in names)
    for name, count in Counter(world.manifest.name for world in found).items():
        if count > 1:
            problem = f"env.worlds holds {count} worlds named {name!r}; tasks could not be told apart"
            raise PreflightError(problem, "prepare one of them under another name with source.name=…")
    return found


def _world(name: str, cache_dir: Path, report: Report) -> World:
    if name in EMBEDDED or not Path(name).exists():
        return prepare_embedded(name, WORLD_SEED, TaskCounts(), cache_dir, report)
    return read_world(Path(name))


def select_tasks(env: M3Env, tasks: TasksConfig, found: tuple[World, ...], seed: int) -> tuple[Task, ...]:
    """The tasks a run is about: filtered, then drawn evenly over worlds where there is a limit.

    Raises:
        PreflightError: nothing is left.
        DataError: a task file cannot be read.
    """
    if tasks.file is not None:
        groups = [_matching(_known(_given(tasks.file), tasks.file, found), env)]
    else:
        groups = [_matching(read_tasks(world.tasks(env.tools, tasks.split)), env) for world in found]
    if tasks.limit is not None:
        groups = evenly(groups, tasks.limit, seed)
    chosen = tuple(task for group in groups for task in group)
    if not chosen:
        wanted = f"scenario={env.scenario} tool_availability={env.tool_availability} split={tasks.split}"
        place = str(tasks.file) if tasks.file else str([world.manifest.name for world in found])
        raise PreflightError(f"no task matches {wanted} in {place}")
    return chosen


def _given(path: Path) -> tuple[Task, ...]:
    if not path.is_file():
        raise PreflightError(f"tasks.file: no file {str(path)!r}", "correct the path")
    return read_tasks(path)


def _known(tasks: tuple[Task, ...], path: Path, found: tuple[World, ...]) -> tuple[Task, ...]:
    names = sorted(world.manifest.name for world in found)
    foreign = next((task for task in tasks if task.domain not in names), None)
    if foreign is not None:
        raise DataError(
            path, f"task {foreign.id!r} is about {foreign.domain!r}; the run has {names}", None, "env.worlds=…"
        )
    return tasks


def task_file(tasks: TasksConfig, seed: int) -> tuple[Task, ...]:
    """The tasks of the configured file, drawn where there is a limit.

    Raises:
        PreflightError: there is no file, or no task in it.
        DataError: it cannot be read.
    """
    if tasks.file is None:
        raise PreflightError("no task file is given", "tasks.file=…")
    found = _given(tasks.file)
    if not found:
        raise PreflightError(f"no task in {tasks.file}")
    return drawn(found, tasks.limit, seed)


def drawn(tasks: Sequence[Task], limit: int | None, seed: int) -> tuple[Task, ...]:
    """The tasks, or so many of them that the seed chooses, in their order."""
    return tuple(evenly([list(tasks)], limit or len(tasks), seed)[0])


def _matching(tasks: Sequence[Task], env: M3Env) -> list[Task]:
    return [
        task
        for task in tasks
        if env.scenario in (Scenario.ANY, task.data.get("scenario"))
        and env.tool_availability in (Availability.ANY, task.data.get("tool_availability"))
    ]


def evenly(groups: Sequence[Sequence[T]], limit: int, seed: int) -> list[list[T]]:
    """At most `limit` of all, drawn by the seed: as many of each group, as far as it has them; in their order."""
    rng = random.Random(seed)
    left, shares = limit, []
    for waiting, group in sorted(enumerate(groups), key=lambda item: len(item[1])):
        share = min(len(group), left // (len(groups) - len(shares)))
        left -= share
        keep = set(rng.sample(range(len(group)), share))
        shares.append((waiting, [task for index, task in enumerate(group) if index in keep]))
    return [share for _, share in sorted(shares, key=lambda item: item[0])]
