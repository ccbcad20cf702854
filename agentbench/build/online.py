"""The episodes that a training plays with the weights that it trains: our pool, our policies, our record."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from agentbench.app.artefacts import add_inputs
from agentbench.app.lock import locked
from agentbench.build import Report, runs, trained, training
from agentbench.build.agent import Agent
from agentbench.build.cast import Cast
from agentbench.build.engines import Engine, engine, token_template
from agentbench.build.models import Model
from agentbench.build.runs import Rollout
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.config.launcher import SingleLauncher
from agentbench.config.model import HfModel, TinyModel
from agentbench.config.serve import VllmServe
from agentbench.config.stage_rl import OnlineStage
from agentbench.config.tasks import Split
from agentbench.episodes.encoding import expanded
from agentbench.episodes.pool import new_runner, run_pool
from agentbench.episodes.run_tasks import Here, PoolSettings
from agentbench.episodes.store import TrajectoryWriter
from agentbench.errors import ConfigError, DataError, LlmError, PreflightError, RunFailed
from agentbench.llm import Llm, Request
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.types import EndReason, Generation, Task, Trajectory

if TYPE_CHECKING:
    from agentbench.training.job import Trained, TrainJob
    from agentbench.training.progress import Report as Progress
    from agentbench.training.rl.ranks import Ranks
    from agentbench.training.rl.rollouts import HeldOut, Played
    from agentbench.training.weights import TrainedModel

RANK = "agentbench.build.rank"
"""The module that each process of a training on several runs."""
ROLLOUTS = "rollouts"
"""Folder of the episodes that were trained on, in a run's folder."""


def train_playing(config: TrainConfig, folder: Path, report: Report) -> Trained:
    """Trains a model on episodes that it plays meanwhile, or goes on with it.

    Raises:
        PreflightError, DataError: a model, a world or tasks are missing, or do not go together.
        RunFailed: more episodes failed than may; the last checkpoint is kept.
        Interrupted: SIGINT or SIGTERM while episodes are played.
    """
    from agentbench.training.job import TrainJob
    from agentbench.training.launch import launch
    from agentbench.training.progress import showing

    with locked(folder):
        job = TrainJob(as_weights(config, training.weights(config, report)), folder)
        training.check(job)
        if not isinstance(config.launcher, SingleLauncher):
            return launch(job, RANK)
        with showing(Console()) as progress:
            return train_rank(job, report, progress)


def train_rank(job: TrainJob, report: Report, progress: Progress, number: int = 0) -> Trained:
    """What one of the job's processes has to do; that with number 0 writes its files.

    Raises:
        AgentbenchError: as `train_playing`.
    """
    from agentbench.training.rl.online import train_online
    from agentbench.training.rl.ranks import Ranks

    ranks = Ranks(number, job.processes)
    with opened_rollouts(job.config, job.folder, ranks, report) as rollouts:
        return train_online(job, rollouts, progress, ranks)


def as_weights(config: TrainConfig, model: HfModel) -> TrainConfig:
    """The same with the model as weights; what a tiny student says of itself stays true of them."""
    if isinstance(config.model, TinyModel):
        model = dataclasses.replace(model, max_batch=config.model.max_batch)
    return dataclasses.replace(config, model=model, agent=trained.agent_of(config))


class LiveLlm:
    """Whatever engine there is at the moment, as one model for a whole training."""

    def __init__(self) -> None:
        self.engine: Llm | None = None

    async def generate(self, request: Request) -> Generation:
        """The engine's completion.

        Raises:
            LlmError: there is no engine now, or it could not answer.
        """
        if self.engine is None:
            raise LlmError("no weights are there to answer with")
        return await self.engine.generate(request)

    @contextmanager
    def answering(self, engine: Llm) -> Iterator[None]:
        """Lets an engine answer for as long as the context lasts."""
        self.engine = engine
        try:
            yield
        finally:
            self.engine = None

    async def close(self) -> None:
        """Nothing: an engine is closed with its rollout."""


class OnlineRollouts:
    """Plays a training's episodes; made by `opened_rollouts`.

    Each of several processes plays its share of the tasks with the weights that it has. A server is asked by one of
    them for all: it has its own ways to answer many at once.
    """

    def __init__(self, config: TrainConfig, folder: Path, ranks: Ranks, report: Report) -> None:
        stage, model = config.stage, config.model
        assert isinstance(stage, OnlineStage)
        assert isinstance(model, HfModel)
        self._stage, self._seed, self._folder, self._ranks = stage, config.seed, folder, ranks
        self._live = LiveLlm()
        played = played_config(config, model)
        self._served = isinstance(config.serve, VllmServe)
        plays = ranks.is_first or not self._served
        self._engine = engine(played, model, folder, report) if plays else None
        self._most_gap: float | None = None
        template = token_template(played, load_tokenizer(config.template.tokenizer or model.path))
        cast = Cast(agent=Agent(Model(self._live, template), "", None, model.path))
        self._training = _assembled(played, cast, report)
        wanted = config.evaluate.tasks is not None and stage.evaluate_every is not None
        self._held_out = _assembled(trained.held_out_config(config, model), cast, report) if wanted else None
        self._runner, self._stack = new_runner(), AsyncExitStack()
        _check_tasks(self._training, self._held_out, stage)

    def open(self) -> None:
        """Asks servers behind tools whether they are there, and notes what is read.

        Raises:
            PreflightError: one is not.
        """
        for run in (self._training, self._held_out):
            if run is not None:
                self._runner.run(self._stack.enter_async_context(run.opened()))
        if self._ranks.is_first:
            add_inputs(self._folder, self._training.inputs)

    def close(self) -> None:
        """Frees worlds and servers."""
        self._runner.run(self._stack.aclose())
        self._runner.close()

    @property
    def most_gap(self) -> float | None:
        """How far log-probabilities may be from the trainer's, in nats; `None`: they are the trainer's own.

        Known once something was played.
        """
        return self._most_gap

    def play(self, policy: TrainedModel, step: int) -> Played:
        """The episodes of a step, written to the run's folder where they are to be kept; see `Rollouts`."""
        from agentbench.training.rl.rollouts import Played, sample_numbers, tasks_at

        started, stage = time.perf_counter(), self._stage
        tasks = tasks_at(step, self._training.field.tasks, stage.tasks_per_step, self._seed)
        planned = [_Planned(task, sample) for task in tasks for sample in sample_numbers(step, stage.group_size)]
        played = self._played(self._training, policy, planned)
        if stage.keep_rollouts and self._ranks.is_first:
            self._keep(played)
        return Played(tuple(expanded(trajectory) for trajectory in played), time.perf_counter() - started)

    def held_out(self, policy: TrainedModel, step: int) -> HeldOut | None:
        """The success on the tasks of `evaluate`, played as `agentbench.eval` would; see `Rollouts`."""
        from agentbench.training.rl.rollouts import HeldOut

        if self._held_out is None:
            return None
        started = time.perf_counter()
        planned = [_Planned(task, 0) for task in self._held_out.field.tasks]
        played = self._played(self._held_out, policy, planned)
        success = sum(trajectory.success for trajectory in played) / len(played)
        return HeldOut(success, len(played), time.perf_counter() - started)

    def _played(self, run: Rollout, policy: TrainedModel, planned: Sequence[_Planned]) -> list[Trajectory]:
        """The episodes in the order in which they were planned, whichever process played them."""
        own = self._own(planned)
        played = self._runner.run(self._playing(run, policy, self._engine, own)) if self._engine and own else []
        gathered = self._ranks.gathered((played, None if self._engine is None else self._engine.most_gap))
        self._most_gap = next((gap for _, gap in gathered if gap is not None), None)
        found = {(one.task.id, one.sample): one for part, _ in gathered for one in part}
        return [found[episode.task.id, episode.sample] for episode in planned]

    def _own(self, planned: Sequence[_Planned]) -> Sequence[_Planned]:
        """What this process plays: every episode of its tasks, as these begin alike."""
        if self._served:
            return planned if self._ranks.is_first else ()
        tasks = set(self._ranks.share(list(dict.fromkeys(episode.task.id for episode in planned))))
        return [episode for episode in planned if episode.task.id in tasks]

    async def _playing(
        self, run: Rollout, policy: TrainedModel, engine: Engine, planned: Sequence[_Planned]
    ) -> list[Trajectory]:
        """The episodes as they come to their ends."""
        player = Here(run.make, run.settings)
        played: list[Trajectory] = []
        failures = _Failures(run.settings, len(planned))

        async def play(episode: _Planned) -> Trajectory:
            return await player.play(episode.task, episode.sample)

        def keep(trajectory: Trajectory) -> None:
            played.append(trajectory)
            failures.note(trajectory)

        async with engine.over(policy) as computing:
            with self._live.answering(computing.llm):
                await run_pool(planned, play, keep, run.settings.concurrency)
        return [dataclasses.replace(trajectory, weights=computing.weights) for trajectory in played]

    def _keep(self, played: Sequence[Trajectory]) -> None:
        folder = self._folder / ROLLOUTS
        folder.mkdir(exist_ok=True)
        with TrajectoryWriter(folder) as writer:
            for trajectory in played:
                writer.append(trajectory)


@contextmanager
def opened_rollouts(config: TrainConfig, folder: Path, ranks: Ranks, report: Report) -> Iterator[OnlineRollouts]:
    """Whoever plays a training's episodes, for as long as the context lasts; the model is weights.

    Raises:
        PreflightError, DataError: worlds, tasks or servers are missing or broken, or there are too few tasks.
    """
    rollouts = OnlineRollouts(config, folder, ranks, report)
    try:
        rollouts.open()
        yield rollouts
    finally:
        rollouts.close()


def played_config(config: TrainConfig, model: HfModel) -> RolloutConfig:
    """The episodes that are trained on, as `agentbench.rollout` would be told.

    Raises:
        ConfigError: the stage plays none.
    """
    stage = config.stage
    if not isinstance(stage, OnlineStage):
        raise ConfigError([f"stage: {stage.kind} plays no episodes"])
    sampled = dataclasses.replace(trained.agent_of(config), temperature=stage.temperature, top_p=1.0)
    return RolloutConfig(
        seed=config.seed,
        model=model,
        serve=config.serve,
        template=config.template,
        agent=sampled,
        env=config.env,
        expert_mode=config.expert_mode,
        scorer=config.scorer,
        retriever=config.retriever,
        tasks=config.tasks,
        rewards=config.rewards,
        concurrency=stage.concurrency,
        episode_timeout_s=stage.episode_timeout_s,
        max_failures=stage.max_failures,
        cache_dir=config.cache_dir,
    )


class _Planned(NamedTuple):
    task: Task
    sample: int


class _Failures:
    """Counts episodes that end with an error: none is a reward of zero, and too many end the training."""

    def __init__(self, settings: PoolSettings, planned: int) -> None:
        self._allowed, self._planned = settings.max_failures, planned
        self._count = 0

    def note(self, trajectory: Trajectory) -> None:
        """Takes a finished episode into account.

        Raises:
            RunFailed: one too many has failed.
        """
        if trajectory.end is not EndReason.ERROR:
            return
        self._count += 1
        if self._count > self._allowed * self._planned:
            raise RunFailed(
                f"{self._count} of {self._planned} episodes of a rollout ended with an error, more than"
                f" {100 * self._allowed:g} %; the latest was {trajectory.error}",
                "mend the cause, then go on with resume=<this run's folder>",
            )


def _assembled(config: RolloutConfig, cast: Cast, report: Report) -> Rollout:
    return runs.assembled(config, runs.field_of(config, report), cast)


def _check_tasks(training: Rollout, held_out: Rollout | None, stage: OnlineStage) -> None:
    tasks = training.field.tasks
    if len(tasks) < stage.tasks_per_step:
        problem = f"stage.tasks_per_step={stage.tasks_per_step}, but there are {len(tasks)} tasks to play"
        raise PreflightError(problem, f"stage.tasks_per_step={max(1, len(tasks))}, or more tasks")
    test = next((task.id for task in tasks if task.data.get("split") == Split.TEST), None)
    if test is not None:
        raise DataError("tasks", f"{test!r} is a test task, and this would train on it", None, "tasks.split=train")
    apart = {task.id for task in held_out.field.tasks} if held_out else set[str]()
    both = next((task.id for task in tasks if task.id in apart), None)
    if both is not None:
        raise DataError("tasks", f"{both!r} is trained on and held out by evaluate", None, "evaluate.split=validation")
