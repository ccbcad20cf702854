"""Whole runs of episodes: who acts, when the expert steps in, how steps are graded."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from agentbench.build import Report
from agentbench.build.models import Model, model
from agentbench.build.worlds import Playground, playground, select_tasks, worlds
from agentbench.config.entry import DoctorConfig, RolloutConfig, TrainConfig
from agentbench.config.expert_mode import ExpertModeConfig, GroundTruthExpert, InformedExpert, NoExpert, RandomExpert
from agentbench.config.model import TinyModel
from agentbench.config.rewards import RewardsConfig
from agentbench.config.tasks import Split, TasksConfig
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import MakeParts, PoolSettings, run_tasks
from agentbench.episodes.summary import ExpertSettings, Summary
from agentbench.llm import Sampling
from agentbench.policies import Policy
from agentbench.policies.chat import ChatAgent
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.intervention import Intervention
from agentbench.policies.overseer import RuleOverseer
from agentbench.policies.triggers import Always, Coin, Never, Stuck, Trigger
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.types import StepCategory, Task


def episode_maker(config: RolloutConfig, field: Playground, agent: Model | None) -> MakeParts:
    """What makes the parts of each episode. Without an agent only the ground-truth expert can play."""
    grader = step_grader(config.rewards)

    def make(task: Task, seed: int) -> EpisodeParts:
        return EpisodeParts(field.environment(task), _policy(config, task, seed, agent), grader, (AnswerScorer(),))

    return make


def needs_agent(mode: ExpertModeConfig) -> bool:
    """Whether a run ever asks the agent: an expert that takes every step and keeps no alternative does not."""
    return not isinstance(mode, GroundTruthExpert) or mode.save_alternate_trace


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


def _policy(config: RolloutConfig, task: Task, seed: int, agent: Model | None) -> Policy:
    expert = GoldExpert(task)
    if agent is None:
        return expert
    chat = ChatAgent(agent.llm, agent.template, _sampling(config), seed)
    return Intervention(chat, expert, _trigger(config.expert_mode, task, seed), config.expert_mode.save_alternate_trace)


def _sampling(config: RolloutConfig) -> Sampling:
    longest = config.agent.max_tokens
    if isinstance(config.model, TinyModel):
        longest = min(longest, config.model.max_tokens)
    return Sampling(config.agent.temperature, config.agent.top_p, longest)


def _trigger(mode: ExpertModeConfig, task: Task, seed: int) -> Trigger:
    rng = random.Random(seed)
    match mode:
        case NoExpert():
            return Never()
        case GroundTruthExpert():
            return Always()
        case RandomExpert(probability=probability):
            return Coin(probability, rng)
        case InformedExpert(init_limit=init, recent_limit=recent, random_epsilon=epsilon):
            return Stuck(init, RuleOverseer(task, recent), Coin(epsilon, rng))


class Rollout(NamedTuple):
    """Everything a run of episodes needs, built but not started."""

    tasks: tuple[Task, ...]
    make: MakeParts
    settings: PoolSettings
    agent: Model | None

    async def play(self, folder: Path) -> Summary:
        """Plays the tasks that the folder does not hold yet; the agent's model is closed afterwards.

        Raises:
            PreflightError: the model's server is not there, refuses the key or lacks the model.
            PreflightError, DataError, Interrupted, RunFailed: as `run_tasks` does.
        """
        try:
            if self.agent is not None and self.agent.preflight is not None:
                await self.agent.preflight()
            return await run_tasks(self.tasks, self.make, self.settings, folder)
        finally:
            if self.agent is not None:
                await self.agent.llm.close()


def rollout(config: RolloutConfig, report: Report) -> Rollout:
    """Worlds, tasks, model and expert of a run.

    Raises:
        PreflightError, DataError: something the run needs is missing or broken.
    """
    found = worlds(config.env, config.cache_dir, report)
    tasks = select_tasks(config.env, config.tasks, found, config.seed)
    field = playground(config.env, config.retriever, found)
    agent = model(config, found, report) if needs_agent(config.expert_mode) else None
    settings = PoolSettings(
        concurrency=config.concurrency,
        horizon=config.env.horizon,
        seed=config.seed,
        episode_timeout_s=config.episode_timeout_s,
        max_failures=config.max_failures,
        next_step="",
        expert=expert_settings(config.expert_mode),
    )
    return Rollout(tasks, episode_maker(config, field, agent), settings, agent)


def gold_rollout(config: TrainConfig, report: Report) -> Rollout:
    """The ground-truth expert on the whole training split."""
    return rollout(
        RolloutConfig(
            seed=config.seed,
            model=config.model,
            template=config.template,
            agent=config.agent,
            env=config.env,
            expert_mode=GroundTruthExpert(),
            retriever=config.retriever,
            tasks=TasksConfig(split=Split.TRAIN),
            rewards=config.rewards,
            cache_dir=config.cache_dir,
        ),
        report,
    )


def self_check_of(config: DoctorConfig, report: Report) -> SelfCheck:
    """What the self-check plays with.

    Raises:
        PreflightError, DataError: a world is missing or broken.
    """
    found = worlds(config.env, config.cache_dir, report)
    field = playground(config.env, config.retriever, found)
    grader = step_grader(config.rewards)

    def make(task: Task, policy: Policy) -> EpisodeParts:
        return EpisodeParts(field.environment(task), policy, grader, (AnswerScorer(),))

    settings = PoolSettings(
        concurrency=64,
        horizon=config.env.horizon,
        seed=config.seed,
        episode_timeout_s=60.0,
        max_failures=1.0,
        next_step="",
        quiet=True,
    )
    return SelfCheck(select_tasks(config.env, config.tasks, found, config.seed), make, settings)


class SelfCheck(NamedTuple):
    """Tasks, what makes an episode of one of them for a given policy, and how they are played."""

    tasks: tuple[Task, ...]
    make: Callable[[Task, Policy], EpisodeParts]
    settings: PoolSettings
