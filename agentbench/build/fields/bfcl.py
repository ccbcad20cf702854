"""Fields of BFCL's questions; `env=bfcl`."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from agentbench.build import Report
from agentbench.build.fields import Field
from agentbench.build.worlds import evenly
from agentbench.config.env_bfcl import BfclEnv
from agentbench.config.tasks import Split, TasksConfig
from agentbench.envs import Environment
from agentbench.envs.bfcl import BfclDialogue, BfclQuestion
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.errors import PreflightError
from agentbench.tasks.bfcl.process import BUILT_BY_MAKE, OFFICIAL, Official, load
from agentbench.tasks.bfcl.questions import Question, questions
from agentbench.tasks.bfcl.results import FOLDER, MODEL, write_results
from agentbench.types import Task


def bfcl_field(env: BfclEnv, tasks: TasksConfig, seed: int, report: Report) -> Field:
    """Questions of the chosen categories; where there is a limit, so many drawn evenly over them.

    Raises:
        PreflightError: bfcl-eval is not there, or another split than the test one is asked for.
    """
    if tasks.split is not Split.TEST or tasks.file is not None:
        raise PreflightError("env=bfcl has no tasks but its own, and all are tests", "leave tasks.split and file away")
    chosen = _chosen(env, tasks.limit, seed)
    checker = Official(env.python, env.tool_timeout_s)

    def environment(task: Task) -> Environment:
        if task.id not in chosen:
            raise PreflightError(f"{task.id!r} is no question of this run")
        question = chosen[task.id]
        if question.category.startswith("multi_turn"):
            return BfclDialogue(question, Official(env.python, env.tool_timeout_s))
        return BfclQuestion(question, checker)

    def export(folder: Path) -> None:
        categories = write_results(folder, read_trajectories(folder / TRAJECTORIES))
        report(
            f"official result files: {os.path.relpath(folder / FOLDER)}; scored by {_official(env, folder, categories)}"
        )

    return Field(tuple(each.task for each in chosen.values()), environment, close=checker.close, export=export)


def _official(env: BfclEnv, folder: Path, categories: tuple[str, ...]) -> str:
    """The command that lets the official program score the files; questions that were not played are left out."""
    python, script = (os.path.relpath(path) for path in (env.python or BUILT_BY_MAKE, OFFICIAL))
    places = ["--result-dir", os.path.relpath(folder / FOLDER), "--score-dir", os.path.relpath(folder / "bfcl_scores")]
    asked = ["--model", MODEL, "--test-category", ",".join(categories), *places, "--partial-eval"]
    return shlex.join([python, "-I", script, "cli", "evaluate", *asked])


def _chosen(env: BfclEnv, limit: int | None, seed: int) -> dict[str, Question]:
    found = load(env.python, env.chosen)
    groups = [questions(category, found.categories[category], found.added) for category in env.chosen]
    by_id = {question.task.id: question for group in groups for question in group}
    tasks = [[question.task for question in group] for group in groups]
    drawn = evenly(tasks, limit, seed) if limit is not None else tasks
    return {task.id: by_id[task.id] for group in drawn for task in group}
