"""Fields of questions with functions of their own; `env=function_call`."""

from __future__ import annotations

import hashlib
from pathlib import Path

from agentbench.build import WORLD_SEED, Report
from agentbench.build.fields import Field
from agentbench.build.worlds import evenly, task_file
from agentbench.config.env_function_call import CallFormat, FunctionCallEnv
from agentbench.config.tasks import Split, TasksConfig
from agentbench.envs import Environment, Restoring
from agentbench.envs.single_call import SingleCall
from agentbench.errors import PreflightError
from agentbench.tasks.calls.nestful import read_nestful
from agentbench.tasks.calls.questions import Question, Questions, divided, offering, task_of
from agentbench.tasks.calls.xlam import read_xlam
from agentbench.types import Task
from agentbench.worlds.functions import functions_file


def function_call_field(
    env: FunctionCallEnv, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report
) -> Field:
    """The questions of a split, each in an environment of one step.

    Raises:
        PreflightError: the file is missing, or no question is left.
        DataError: the file is broken.
    """
    chosen = task_file(tasks, seed) if tasks.file else _tasks(env, tasks, cache_dir=cache_dir, seed=seed, report=report)
    return Field(chosen, _environment, lambda _domain: Restoring.FORK)


def content_hash(env: FunctionCallEnv, cache_dir: Path) -> str:
    """A hash of what the questions are read from.

    Raises:
        PreflightError: the file cannot be read.
    """
    path = _file(env, cache_dir)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as failure:
        raise PreflightError(
            f"env.file: {str(path)!r} cannot be read: {failure.strerror}", "correct the path"
        ) from None


def _environment(_task: Task) -> Environment:
    return SingleCall()


def _file(env: FunctionCallEnv, cache_dir: Path) -> Path:
    return env.file or functions_file(cache_dir, WORLD_SEED)


def _tasks(env: FunctionCallEnv, tasks: TasksConfig, *, cache_dir: Path, seed: int, report: Report) -> tuple[Task, ...]:
    found = _read(env, cache_dir)
    left_out = "".join(f"; {count} left out: {reason}" for reason, count in found.left_out.items())
    asked = _of_split(env, found, tasks.split)
    if not asked:
        raise PreflightError(f"no question of the {tasks.split} split in {_file(env, cache_dir)}", "tasks.split=test")
    report(f"{_file(env, cache_dir).name}: {len(found.kept):,} questions, {len(asked):,} of {tasks.split}{left_out}")
    groups: dict[str, list[Question]] = {}
    for question in asked:
        groups.setdefault(question.domain, []).append(question)
    drawn = evenly(list(groups.values()), tasks.limit, seed) if tasks.limit else groups.values()
    shown = (offering(question, env.tools_shown) for group in drawn for question in group)
    return tuple(task_of(question, _suite(env), tasks.split) for question in shown)


def _suite(env: FunctionCallEnv) -> str:
    return "functions" if env.file is None else env.format.value


def _read(env: FunctionCallEnv, cache_dir: Path) -> Questions:
    match env.format:
        case CallFormat.XLAM:
            return read_xlam(_file(env, cache_dir), _suite(env))
        case CallFormat.NESTFUL:
            return read_nestful(_file(env, cache_dir))


def _of_split(env: FunctionCallEnv, found: Questions, split: Split) -> tuple[Question, ...]:
    if env.format is CallFormat.NESTFUL:
        return found.kept if split is Split.TEST else ()
    part = divided(found.kept, env.split_seed)[split]
    return part[: max(1, round(env.train_share * len(part)))] if split is Split.TRAIN else part
