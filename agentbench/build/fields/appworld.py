"""Fields of AppWorld's worlds, one per episode, kept by a process in AppWorld's own environment; `env=appworld`."""

from __future__ import annotations

import random

from agentbench.build.fields import Field
from agentbench.config.env_appworld import AppWorldEnv
from agentbench.config.tasks import TasksConfig
from agentbench.envs import Environment, Restoring
from agentbench.envs.code_env import CodeEnv
from agentbench.errors import PreflightError
from agentbench.tasks.appworld import DATASETS, read_appworld
from agentbench.tools.code.appworld import AppWorldProcess, WorldLimits
from agentbench.types import Task


def appworld_field(env: AppWorldEnv, tasks: TasksConfig, seed: int) -> Field:
    """AppWorld's tasks, and worlds from its process, which starts with the run.

    Raises:
        PreflightError: the data are missing, or no task is left.
        DataError: a task is broken.
    """
    dataset = env.dataset or DATASETS[tasks.split]
    chosen = _drawn(read_appworld(env.root, dataset, env.difficulty), tasks.limit, seed)
    if not chosen:
        raise PreflightError(f"no task of {dataset!r} has env.difficulty={env.difficulty}")
    limits = WorldLimits(env.tool_timeout_s, env.output_chars, env.memory_gib, env.worlds_at_once)
    process = AppWorldProcess(env.python, env.root, limits)

    def environment(_task: Task) -> Environment:
        return CodeEnv(process.open, env.docs, env.horizon)

    async def preflight() -> None:
        process.start()

    async def close() -> None:
        process.stop()

    return Field(chosen, environment, lambda _domain: Restoring.REPLAY, preflight, close)


def _drawn(tasks: tuple[Task, ...], limit: int | None, seed: int) -> tuple[Task, ...]:
    """At most `limit` tasks, of whole scenarios as far as that goes, chosen by the seed; in their order."""
    if limit is None or limit >= len(tasks):
        return tasks
    scenarios = list(dict.fromkeys(task.data["family"] for task in tasks))
    random.Random(seed).shuffle(scenarios)
    by_scenario = sorted(tasks, key=lambda task: scenarios.index(task.data["family"]))
    kept = {task.id for task in by_scenario[:limit]}
    return tuple(task for task in tasks if task.id in kept)
