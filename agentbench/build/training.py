"""Training runs: which model is trained on what, and where others find it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from agentbench.app.lock import locked
from agentbench.build import WORLD_SEED, Report
from agentbench.build.models import family, system_prompt
from agentbench.build.students import student_folder, trained_student
from agentbench.build.trained_view import as_seen
from agentbench.build.worlds import worlds
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.env import Availability, EnvConfig, InterfaceConfig, M3Env, Scenario
from agentbench.config.env_appworld import AppWorldEnv
from agentbench.config.env_function_call import FunctionCallEnv
from agentbench.config.env_playground import PlaygroundEnv
from agentbench.config.expert_mode import NoExpert
from agentbench.config.launcher import SingleLauncher
from agentbench.config.model import HfModel, OpenAIModel, TinyModel
from agentbench.config.stage import SftStage
from agentbench.config.stage_rl import OnlineStage
from agentbench.config.tasks import TasksConfig
from agentbench.errors import ConfigError, DataError, PreflightError
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.training_data.rows import read_rows, rows_identity
from agentbench.training_data.sft import sft_rows
from agentbench.types import Trajectory

if TYPE_CHECKING:
    from agentbench.training.data import Audit, Limits, Origin
    from agentbench.training.job import Trained, TrainJob
    from agentbench.training.student import Student


def published_student(config: TrainConfig, report: Report) -> Path | None:
    """Where runs look for the student that this training makes; `None` for one that is only this run's own.

    A tiny student with the default stage and seed, trained on all gold trajectories, is the one `model=tiny` means.
    """
    usual = not config.trajectories and config.stage == SftStage() and config.seed == WORLD_SEED
    if not is_from_nothing(config) or not isinstance(config.model, TinyModel) or not (usual and _all_tasks(config.env)):
        return None
    found = worlds(config.env, config.cache_dir, report)
    return student_folder(config.model, config.env, config.retriever, cache_dir=config.cache_dir, found=found)


def _all_tasks(env: EnvConfig) -> bool:
    """Whether an environment's training tasks are those that any run with its other settings would have."""
    match env:
        case M3Env():
            all_of_them = env.scenario is Scenario.ANY and env.tool_availability is Availability.ANY
            as_ever = env.horizon == M3Env().horizon and env.interface == InterfaceConfig()
            return all_of_them and env.enforce_rules and as_ever
        case FunctionCallEnv() | PlaygroundEnv():
            return True
        case AppWorldEnv():
            return not env.dataset and env.horizon == AppWorldEnv(root=env.root).horizon
        case _:
            return False


def is_from_nothing(config: TrainConfig) -> bool:
    """Whether a new tiny student is made; otherwise there is a model that is trained further."""
    alone = isinstance(config.model, TinyModel) and config.model.path is None and not config.rows
    return alone and not isinstance(config.stage, OnlineStage)


def train_student(config: TrainConfig, trajectories: Sequence[Trajectory], folder: Path) -> Student:
    """Makes a tiny student in a folder.

    Raises:
        DataError: no trajectory is of use.
        ConfigError: another model, or another stage, is configured.
    """
    from agentbench.training.progress import showing
    from agentbench.training.student import Recipe, train_tiny

    if not isinstance(config.model, TinyModel) or not isinstance(config.stage, SftStage):
        raise ConfigError([f"stage={config.stage.kind}: only model=tiny is made from nothing, and by stage=sft"])
    with showing(Console()) as report:
        return train_tiny(config.model, trajectories, Recipe(config.stage, config.seed, folder), report)


def train_given(config: TrainConfig, trajectories: Sequence[Trajectory], folder: Path, report: Report) -> Trained:
    """Trains a given model further, or goes on with it, on rows or on trajectories.

    Raises:
        PreflightError: a model, an adapter, a package or a GPU is missing, or they do not go together.
        DataError: rows are not this model's, or there is none to train on.
        AgentbenchError: a rank failed.
    """
    for path in (*config.rows, *config.validation_rows):
        rows_identity(path)  # a mistyped path is told before torch is imported
    from agentbench.training.finetune import finetune
    from agentbench.training.job import TrainJob
    from agentbench.training.launch import launch
    from agentbench.training.progress import showing

    with locked(folder):
        job = TrainJob(dataclasses.replace(config, model=weights(config, report)), folder)
        check(job)
        if job.continues_adapter:
            report(f"going on with the adapter {job.model.adapter}: it keeps its rank, {job.adapter_keys['rank']}")
        _write_tables(job, trajectories, report)
        if not isinstance(config.launcher, SingleLauncher):
            return launch(job)
        with showing(Console()) as progress:
            return finetune(job, progress)


def publish(model_folder: Path, target: Path) -> Path:
    """Copies a trained model to where runs look for it; another process sees all of it or nothing.

    Raises:
        PreflightError: the cache cannot be written; the model stays in the run's folder.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        shutil.copytree(model_folder, draft)
        draft.rename(target)
    except OSError as error:
        shutil.rmtree(draft, ignore_errors=True)
        if not (target / "config.json").is_file():  # otherwise another process was quicker with the same student
            problem = f"the student cannot be put into {target.parent}: {error.strerror or error}"
            raise PreflightError(problem, f"use it as model.path={model_folder}") from error
    return target


def weights(config: TrainConfig, report: Report) -> HfModel:
    """The model that is trained further, as a folder of weights.

    Raises:
        PreflightError: a tiny student that is not there could not be trained.
        ConfigError: the model is behind a server.
    """
    import torch

    match config.model:
        case HfModel() as hf:
            return hf
        case TinyModel(path=path) as tiny:
            torch.set_num_threads(1)  # threads cost a model of this size more than they bring
            found = () if path else worlds(config.env, config.cache_dir, report)
            return HfModel(path=str(path or trained_student(tiny, _as_rollout(config), found, report)))
        case OpenAIModel():
            raise ConfigError(["model: a model behind a server cannot be trained; use model=hf or model=tiny"])


def _as_rollout(config: TrainConfig) -> RolloutConfig:
    """What a rollout would say of the student that is meant."""
    return RolloutConfig(
        seed=config.seed,
        model=config.model,
        template=config.template,
        agent=config.agent,
        env=config.env,
        expert_mode=NoExpert(),
        retriever=config.retriever,
        tasks=TasksConfig(),
        rewards=config.rewards,
        cache_dir=config.cache_dir,
    )


def check(job: TrainJob) -> None:
    """Whether what a training needs is there.

    Raises:
        PreflightError, DataError: something is not.
    """
    from agentbench.training.preflight import (
        check_adapter,
        check_machine,
        check_model,
        check_reference,
        check_tokenizer,
    )

    check_machine(job)
    check_model(job)
    check_adapter(job)
    check_reference(job)
    check_tokenizer(job)


def _write_tables(job: TrainJob, trajectories: Sequence[Trajectory], report: Report) -> None:
    """The tables of rows in the run's folder, unless an earlier run of it has written them."""
    from agentbench.training.data import Limits, read_table
    from agentbench.training.job import DATA
    from agentbench.training.preflight import context_length

    config = job.config
    limits = Limits(config.stage.max_length, context_length(job))
    rows = _from_files(config.rows) if config.rows else _from_trajectories(config, job.model, trajectories)
    tasks: set[str] = set()
    tables = {"train": _noting(rows, tasks), "validation": _apart(_from_files(config.validation_rows), tasks)}
    names = [name for name in tables if name == "train" or config.validation_rows]
    complete = all(read_table(job.folder / DATA / name) for name in names)
    if not complete:
        shutil.rmtree(job.folder / DATA, ignore_errors=True)
    for name in names:
        audit = _table(job, tables[name], limits, folder=job.folder / DATA / name)
        report(f"{'rows to train on' if name == 'train' else 'validation rows'}: {audit.line()}")


def _noting(rows: Iterable[Origin], tasks: set[str]) -> Iterator[Origin]:
    """The rows; their tasks are in the set once all are read."""
    for origin in rows:
        tasks.add(origin.row.task)
        yield origin


def _apart(rows: Iterable[Origin], tasks: Collection[str]) -> Iterator[Origin]:
    """The rows, if none is of one of the tasks; rows that name no task pass.

    Raises:
        DataError: one is.
    """
    for origin in rows:
        if origin.row.task and origin.row.task in tasks:
            problem = f"validation on the task {origin.row.task!r}, which is trained on"
            advice = "hold tasks back with agentbench.build_prefs validation_share=0.1"
            raise DataError(origin.path, problem, origin.line, advice)
        yield origin


def _table(job: TrainJob, rows: Iterable[Origin], limits: Limits, *, folder: Path) -> Audit:
    from agentbench.training.data import read_table, write_table

    config = job.config
    found = read_table(folder)
    if found is not None:
        return found.audit
    return write_table(rows, config.stage, limits, rows_at_once=job.rows_at_once, seed=config.seed, folder=folder)


def _from_files(paths: Sequence[Path]) -> Iterator[Origin]:
    from agentbench.training.data import Origin

    for path in paths:
        for line, row in enumerate(read_rows(path), 1):
            yield Origin(row, path, line)


def _from_trajectories(config: TrainConfig, model: HfModel, trajectories: Sequence[Trajectory]) -> Iterator[Origin]:
    from agentbench.training.data import Origin

    tokenizer = load_tokenizer(config.template.tokenizer or model.path)
    layout_family = family(config.template.kind, config.template.thinking)
    layout = TokenTemplate(layout_family, tokenizer, system_prompt(config.agent))
    made = sft_rows((as_seen(each, config.agent) for each in trajectories), layout, config.stage.max_length)
    if not made.rows:
        reason = f"{made.unsuccessful} did not succeed, {made.too_long} are longer than stage.max_length"
        raise DataError("trajectories", f"none can be trained on: {reason}")
    yield from (Origin(row, "trajectories", line) for line, row in enumerate(made.rows, 1))
