"""Expert iteration: rounds of rollout → rows → training → evaluation, each one a run of the entry point that does it.

The student of the moment plays new tasks, the expert says what it would have done in the student's own states, and the
student learns from that (DAgger, Ross et al. 2011; with pairs as in online DPO, Guo et al. 2024). It departs from
DAgger in that each round goes on from the last one's weights instead of learning from nothing; `iteration.aggregate`
adds the rows of earlier rounds.

Why a part of `agentbench.train`'s configuration and no entry point of its own: stage, model, environment, expert, tasks
and held-out tasks are the very keys of a training, and resuming, sweeping and recording are those of any training. Why
processes and no calls: what a round left is then a run like any other, and memory is given back between them.
"""

from __future__ import annotations

import dataclasses
import os
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from agentbench import app
from agentbench.app.artefacts import add_inputs
from agentbench.app.chain import Link, run_link
from agentbench.app.spelled import spelled
from agentbench.build import Report, rounds
from agentbench.build.trained import agent_of, held_out_config
from agentbench.build.training import weights
from agentbench.build.worlds import select_tasks, worlds
from agentbench.config.branching import BranchesConfig, Branching
from agentbench.config.entry import BuildPrefsConfig, EvalConfig, RolloutConfig, TrainConfig
from agentbench.config.env import M3Env
from agentbench.config.evaluate import EvaluateConfig
from agentbench.config.expert_mode import NoExpert
from agentbench.config.iteration import IterationConfig
from agentbench.config.lora import NoLora
from agentbench.config.model import Dtype, HfModel, ModelConfig, OpenAIModel, TinyModel
from agentbench.config.tasks import Split, TasksConfig
from agentbench.episodes.store import TRAJECTORIES
from agentbench.errors import ConfigError, DataError, PreflightError
from agentbench.tasks.files import write_tasks
from agentbench.training_data.rows import ROWS
from agentbench.types import Task

Student = HfModel | TinyModel
ADAPTER, MODEL = "adapter", "model"
"""What a training leaves in its folder."""
TASKS = "tasks.jsonl"
"""In a round's folder: the tasks that it plays."""


class Round(NamedTuple):
    """The runs of one round, in order; round 0 holds the evaluation of the student that is begun with, at most."""

    number: int
    links: tuple[Link, ...]
    model: Student
    """What comes out of it."""


def iterate(config: TrainConfig, settings: IterationConfig, folder: Path, report: Report) -> float | None:
    """Goes through all rounds, or those that are left; the success of the last student, where it is evaluated.

    Raises:
        ConfigError: the settings do not fit one of the entry points.
        PreflightError: there are fewer tasks than the rounds need, or they are held out.
        AgentbenchError: one of the runs failed, with its exit code.
        Interrupted: SIGINT or SIGTERM; the run that was under way has ended and can be gone on with.
    """
    folder = Path(os.path.relpath(folder))  # the commands below are printed, and to be read
    config = dataclasses.replace(config, model=_given(config, report))
    planned = tuple(plan(config, settings, folder))
    for link in (*planned[0].links, *planned[1].links):
        spelled(link.entry, link.config)  # what is wrong is said before anything runs; later rounds differ in paths
    _write_tasks(config, settings, folder, report)
    outcomes: list[rounds.Outcome] = []
    for each in planned:
        for link in each.links:
            run_link(link, report)
        outcomes.append(rounds.outcome(each.number, folder))
        rounds.write(outcomes, folder)
    app.show(rounds.table(outcomes))
    rounds.plot(outcomes, folder, report)
    made = MODEL if isinstance(config.lora, NoLora) else ADAPTER
    report(f"{made}: {folder / rounds.name(settings.rounds) / rounds.TRAIN / made}")
    last = outcomes[-1].success
    return last.rate if last else None


def plan(config: TrainConfig, settings: IterationConfig, folder: Path) -> Iterator[Round]:
    """All rounds, from the evaluation of the given student on."""
    model = _student(config.model)
    tokenizer = config.template.tokenizer or str(model.path)
    yield Round(0, tuple(_evaluation(config, model, folder / rounds.name(0))), model)
    rows: list[Path] = []
    for number in range(1, settings.rounds + 1):
        here = folder / rounds.name(number)
        rows = [*(rows if settings.aggregate else []), here / rounds.PREFS / ROWS]
        training = _training(config, model, tuple(rows))
        links = (
            _link(here, rounds.ROLLOUT, "rollout", _rollout(config, settings, model, here / TASKS)),
            _link(here, rounds.PREFS, "build_prefs", _prefs(config, settings, here, tokenizer)),
            _link(here, rounds.TRAIN, "train", training),
        )
        model = next_model(training, here / rounds.TRAIN)
        yield Round(number, (*links, *_evaluation(config, model, here)), model)


def next_model(config: TrainConfig, folder: Path) -> Student:
    """What a training in this folder makes of its model: as it is given to the next run.

    Raises:
        ConfigError: the model is behind a server.
    """
    model = _student(config.model)
    if isinstance(config.lora, NoLora):
        match model:
            case HfModel():
                return dataclasses.replace(model, path=str(folder / MODEL), adapter=None)
            case TinyModel():
                return dataclasses.replace(model, path=folder / MODEL)
    if isinstance(model, TinyModel):
        model = HfModel(path=str(model.path), dtype=Dtype.FLOAT64, max_batch=model.max_batch)
    return dataclasses.replace(model, adapter=folder / ADAPTER)


def _student(model: ModelConfig) -> Student:
    if isinstance(model, OpenAIModel):
        raise ConfigError(["model: a model behind a server cannot be trained here; choose model=tiny or model=hf"])
    return model


def _given(config: TrainConfig, report: Report) -> Student:
    """The student that is begun with, in a folder; a tiny one that is not there is made first."""
    model = _student(config.model)
    if isinstance(model, TinyModel) and model.path is None:
        return dataclasses.replace(model, path=Path(weights(config, report).path))
    return model


def _write_tasks(config: TrainConfig, settings: IterationConfig, folder: Path, report: Report) -> None:
    """Tasks for each round, drawn by the seed; where a round has its tasks already, it keeps them.

    Raises:
        PreflightError: there are too few, or one is held out by `evaluate`.
    """
    env = config.env
    if not isinstance(env, M3Env):
        raise ConfigError(["iteration: its rounds share out the tasks of worlds; choose env=m3"])
    found = worlds(env, config.cache_dir, report)
    tasks = list(select_tasks(env, config.tasks, found, config.seed))
    needed = settings.rounds * settings.tasks
    if len(tasks) < needed:
        problem = f"{settings.rounds} rounds of {settings.tasks} tasks need {needed}, and there are {len(tasks)}"
        raise PreflightError(problem, f"iteration.tasks={max(1, len(tasks) // settings.rounds)}, or fewer rounds")
    if config.evaluate.tasks is not None:
        held_out = TasksConfig(split=config.evaluate.split, limit=config.evaluate.tasks)
        _refuse_held_out(tasks, select_tasks(env, held_out, found, config.seed))
    random.Random(config.seed).shuffle(tasks)
    for number in range(settings.rounds):
        path = folder / rounds.name(number + 1) / TASKS
        if not path.is_file():
            path.parent.mkdir(exist_ok=True)
            write_tasks(path, tasks[number * settings.tasks : (number + 1) * settings.tasks])
    add_inputs(folder, {f"worlds.{world.manifest.name}": world.folder for world in found})


def _refuse_held_out(tasks: Iterable[Task], held_out: Iterable[Task]) -> None:
    apart = {task.id for task in held_out}
    both = next((task.id for task in tasks if task.id in apart), None)
    if both is not None:
        problem = f"{both!r} would be trained on and held out by evaluate"
        raise DataError("tasks", problem, None, "evaluate.split=validation")


def _link(here: Path, name: str, entry: str, config: object) -> Link:
    return Link(f"{here.name.replace('_', ' ')}, {name}", entry, config, here / name)


def _rollout(config: TrainConfig, settings: IterationConfig, model: Student, tasks: Path) -> RolloutConfig:
    return RolloutConfig(
        seed=config.seed,
        model=model,
        template=config.template,
        agent=agent_of(config),
        env=config.env,
        expert_mode=config.expert_mode,
        expert=settings.expert,
        overseer=settings.overseer,
        scorer=config.scorer,
        retriever=config.retriever,
        tasks=TasksConfig(file=tasks),
        samples=settings.samples,
        rewards=config.rewards,
        concurrency=settings.concurrency,
        episode_timeout_s=settings.episode_timeout_s,
        max_failures=settings.max_failures,
        tracker=config.tracker,
        cache_dir=config.cache_dir,
    )


def _prefs(config: TrainConfig, settings: IterationConfig, here: Path, tokenizer: str) -> BuildPrefsConfig:
    return BuildPrefsConfig(
        seed=config.seed,
        trajectories=(here / rounds.ROLLOUT / TRAJECTORIES,),
        prefs=settings.prefs,
        template=dataclasses.replace(config.template, tokenizer=tokenizer),
        tokenizer=tokenizer,
        agent=config.agent,
    )


def _training(config: TrainConfig, model: Student, rows: tuple[Path, ...]) -> TrainConfig:
    return dataclasses.replace(
        config,
        model=model,
        rows=rows,
        iteration=None,
        env=dataclasses.replace(config.env, branching=Branching.NONE, branches=BranchesConfig()),
        tasks=TasksConfig(split=Split.TRAIN),
        expert_mode=NoExpert(),
        evaluate=EvaluateConfig(),
        resume=None,
    )


def _evaluation(config: TrainConfig, model: Student, here: Path) -> Iterator[Link]:
    if config.evaluate.tasks is None:
        return
    played = held_out_config(config, model)
    settings = {field.name: vars(played)[field.name] for field in dataclasses.fields(played)}
    alone = EvalConfig(**settings | {"baselines": False, "tracker": config.tracker})
    yield _link(here, rounds.EVAL, "eval", alone)
