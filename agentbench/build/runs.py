"""Whole runs of episodes: who acts, when the expert steps in, how steps are graded and episodes scored."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

from agentbench.app.artefacts import add_inputs
from agentbench.build import Report
from agentbench.build.actors import Actor
from agentbench.build.cast import Cast, alone, cast_of, policy_of
from agentbench.build.fields import Field
from agentbench.build.fields.opening import open_field
from agentbench.build.trees import refuse_unrestorable, tree_parts
from agentbench.config.branching import BranchesConfig, Branching
from agentbench.config.entry import DoctorConfig, EvalConfig, ExportFormat, RolloutConfig, TrainConfig
from agentbench.config.env import M3Env
from agentbench.config.expert_mode import (
    ExpertModeConfig,
    GroundTruthExpert,
    InformedExpert,
)
from agentbench.config.rewards import RewardsConfig
from agentbench.config.scorer import AnswerScorer as AnswerScorerConfig
from agentbench.config.scorer import CallsScorer as CallsScorerConfig
from agentbench.config.scorer import EnvironmentScorer as EnvironmentScorerConfig
from agentbench.config.scorer import RatingScorer as RatingScorerConfig
from agentbench.config.scorer import ToolUseScorer as ToolUseScorerConfig
from agentbench.config.scorer import VakraScorer as VakraScorerConfig
from agentbench.config.tasks import Split, TasksConfig
from agentbench.episodes.rescore import Rescoring, keep_scored
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import Here, MakeParts, Player, PoolSettings, run_episodes
from agentbench.episodes.self_check import Finding, self_check
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.episodes.summary import ExpertSettings, Summary
from agentbench.episodes.tally import Tally
from agentbench.errors import RunFailed
from agentbench.policies import Policy
from agentbench.scoring import Scorer
from agentbench.scoring.adherence import AdherenceScorer
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.calls import CallsScorer
from agentbench.scoring.claims import ClaimsJudge
from agentbench.scoring.environment import EnvironmentScorer
from agentbench.scoring.injection import InjectionScorer
from agentbench.scoring.judge import JudgeScorer, LlmJudge
from agentbench.scoring.rating import RatingScorer
from agentbench.scoring.steps import StepGrader
from agentbench.scoring.tool_use import QualityScorer, ToolUseScorer
from agentbench.scoring.vakra import VakraScorer
from agentbench.tasks.vakra.export import read_submission, write_submission
from agentbench.types import StepCategory, Task


class Rollout(NamedTuple):
    """Everything a run of episodes needs, built but not started."""

    field: Field
    make: MakeParts
    settings: PoolSettings
    cast: Cast
    export: ExportFormat
    predictions: Path | None
    scorers: tuple[Scorer, ...]
    grader: StepGrader
    inputs: dict[str, Path]
    """What is read beside the files that the configuration names: worlds, databases, tasks, the model; by key."""
    crew: Callable[[], AbstractAsyncContextManager[Player]] | None = None
    """Workers that play instead of this process."""

    async def play(self, folder: Path) -> Summary:
        """Plays the tasks that the folder does not hold yet; afterwards all models and servers are let go.

        Raises:
            PreflightError: a server is not there, refuses the key or lacks the model.
            PreflightError, DataError, Interrupted, RunFailed: as `run_tasks` does.
        """
        async with self.opened():
            return await self.run(folder)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Models and servers, asked whether they are there, for as long as the context lasts.

        Raises:
            PreflightError: a server is not there, refuses the key or lacks the model.
        """
        try:
            for preflight in (*self.cast.preflights(), self.field.preflight):
                await preflight()
            async with self.cast.serving():
                yield
        finally:
            await self.cast.close()
            await self.field.close()

    async def run(self, folder: Path) -> Summary:
        """Plays as `play` does, with models and servers that are opened already."""
        add_inputs(folder, self.inputs)
        if self.predictions is not None:
            played = read_submission(self.predictions, self.field.tasks, self.grader)
            tally = Tally(self.settings.expert, self.settings.prices)
            rescoring = Rescoring(self.scorers, tally, self.settings.concurrency, self.settings.table)
            return await keep_scored(played, rescoring, folder)
        try:
            async with self.crew() if self.crew else nullcontext(Here(self.make, self.settings)) as player:
                summary = await run_episodes(self.field.tasks, player, self.settings, folder)
        except RunFailed:
            self._export(folder)
            raise
        self._export(folder)
        return summary

    def _export(self, folder: Path) -> None:
        if self.export is ExportFormat.VAKRA:
            write_submission(folder / "vakra", read_trajectories(folder / TRAJECTORIES))
        self.field.export(folder)


def rollout(config: RolloutConfig, report: Report) -> Rollout:
    """Worlds, tasks, models and expert of a run.

    Raises:
        PreflightError, DataError: something the run needs is missing or broken.
    """
    field = field_of(config, report)
    return assembled(config, field, cast_of(config, field, report))


def field_of(config: RolloutConfig, report: Report) -> Field:
    """Worlds and tasks of a run.

    Raises:
        PreflightError, DataError: something is missing or broken.
    """
    return open_field(
        config.env, config.retriever, config.tasks, cache_dir=config.cache_dir, seed=config.seed, report=report
    )


def assembled(config: RolloutConfig, field: Field, cast: Cast) -> Rollout:
    """A run on this field with these models.

    Raises:
        PreflightError: episodes are to branch, and an environment cannot be brought back to an earlier state.
    """
    refuse_unrestorable(config.env, field)
    settings = PoolSettings(
        concurrency=1 if cast.terminal else config.concurrency,
        horizon=config.env.horizon,
        seed=config.seed,
        episode_timeout_s=config.episode_timeout_s,
        max_failures=config.max_failures,
        expert=expert_settings(config.expert_mode),
        prices=config.prices,
        samples=config.samples,
        table=not isinstance(config, EvalConfig),
        breakers=(*cast.breakers(), *field.breakers),
        progress=cast.terminal is None,
    )
    grader, scorers = step_grader(config.rewards), scorers_of(config, cast.judge)

    weights = cast.agent.weights if cast.agent else ""

    def make(task: Task, seed: int) -> EpisodeParts:
        tree = tree_parts(
            config.env, field, task, lambda seed, advised: alone(config, task, seed, cast, advised=advised)
        )
        return EpisodeParts(
            field.environment(task), policy_of(config, task, seed, cast), grader, scorers, weights, tree
        )

    inputs = _inputs(config, field, cast)
    return Rollout(field, make, settings, cast, config.export, config.predictions, scorers, grader, inputs)


def gold_rollout(config: TrainConfig, report: Report) -> Rollout:
    """The ground-truth expert on the whole training split."""
    return rollout(
        RolloutConfig(
            seed=config.seed,
            model=config.model,
            template=config.template,
            agent=config.agent,
            env=dataclasses.replace(config.env, branching=Branching.NONE, branches=BranchesConfig()),
            expert_mode=GroundTruthExpert(),
            scorer=config.scorer,
            retriever=config.retriever,
            tasks=TasksConfig(split=Split.TRAIN),
            rewards=config.rewards,
            cache_dir=config.cache_dir,
        ),
        report,
    )


def _inputs(config: RolloutConfig, field: Field, cast: Cast) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for world in field.worlds:
        name = world.manifest.name
        found[f"worlds.{name}"] = world.folder
        if world.manifest.external_database:
            found[f"worlds.{name}.database"] = world.database
        if isinstance(config.env, M3Env) and config.tasks.file is None:
            found[f"tasks.{name}"] = world.tasks(config.env.tools, config.tasks.split)
    weights = Path(cast.agent.path) if cast.agent and cast.agent.path else None
    return {**found, "model": weights} if weights and weights.is_dir() else found


def step_grader(rewards: RewardsConfig) -> StepGrader:
    """Grades steps with the configured numbers."""
    numbers = dataclasses.asdict(rewards)
    return StepGrader({category: numbers[category.value] for category in StepCategory})


def expert_settings(mode: ExpertModeConfig) -> ExpertSettings:
    """What the summary says about the expert."""
    match mode:
        case InformedExpert(init_limit=init, recent_limit=recent, random_epsilon=epsilon):
            return ExpertSettings(mode.kind, init, recent, epsilon)
        case _:
            return ExpertSettings(mode.kind)


def scorers_of(config: RolloutConfig | DoctorConfig, judge: Actor | None) -> tuple[Scorer, ...]:
    """Who scores the episodes, with the judge's model where there is one; and attacks, where there are some."""
    attacks: tuple[Scorer, ...] = (InjectionScorer(),) if config.env.injection.kinds else ()
    return (*_scorers(config, judge), *attacks)


def _scorers(config: RolloutConfig | DoctorConfig, judge: Actor | None) -> tuple[Scorer, ...]:
    opinion = LlmJudge(judge.ask, judge.instructions, config.seed) if judge else None
    match config.scorer:
        case AnswerScorerConfig():
            beside: tuple[Scorer, ...] = (JudgeScorer(opinion),) if opinion else ()
            return (AnswerScorer(), AdherenceScorer(), *beside)
        case EnvironmentScorerConfig():
            claims = ClaimsJudge(judge.ask, judge.instructions, config.seed) if judge else None
            return (EnvironmentScorer(claims),)
        case CallsScorerConfig():
            return (CallsScorer(),)
        case ToolUseScorerConfig():
            quality: tuple[Scorer, ...] = (QualityScorer(opinion),) if opinion else ()
            return (AnswerScorer(), ToolUseScorer(), *quality)
        case RatingScorerConfig(pass_from=pass_from):
            assert judge is not None  # a rule of the configuration
            return (RatingScorer(judge.ask, judge.instructions, config.seed, pass_from=pass_from), AdherenceScorer())
        case VakraScorerConfig(parity=parity, responses=responses):
            return (VakraScorer(parity, responses, opinion),)


class SelfCheck(NamedTuple):
    """Tasks, what makes an episode of one of them for a given policy, and how they are played."""

    field: Field
    make: Callable[[Task, Policy], EpisodeParts]
    settings: PoolSettings

    async def play(self, folder: Path) -> tuple[Finding, ...]:
        """Lets every probe play every task; servers are let go afterwards.

        Raises:
            PreflightError: a server is not there, or a folder cannot be written or is in use.
            Interrupted: SIGINT or SIGTERM.
        """
        try:
            await self.field.preflight()
            return await self_check(self.field.tasks, self.make, self.settings, folder)
        finally:
            await self.field.close()


def self_check_of(config: DoctorConfig, report: Report) -> SelfCheck:
    """What the self-check plays with.

    Raises:
        PreflightError, DataError: a world is missing or broken.
    """
    field = open_field(
        config.env, config.retriever, config.tasks, cache_dir=config.cache_dir, seed=config.seed, report=report
    )
    grader, scorers = step_grader(config.rewards), scorers_of(config, None)

    def make(task: Task, policy: Policy) -> EpisodeParts:
        return EpisodeParts(field.environment(task), policy, grader, scorers)

    settings = PoolSettings(
        concurrency=64,
        horizon=config.env.horizon,
        seed=config.seed,
        episode_timeout_s=60.0,
        max_failures=1.0,
        quiet=True,
    )
    return SelfCheck(field, make, settings)
