"""The models of a run, and who acts in its episodes: the agent, with an expert beside it or alone."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import NamedTuple

from agentbench.build import Report
from agentbench.build.actors import Actor, llm_expert, llm_judge, llm_overseer
from agentbench.build.agent import Agent, agent
from agentbench.build.fields import Field
from agentbench.build.person import PersonAtTerminal
from agentbench.config.branching import Branching
from agentbench.config.entry import RolloutConfig
from agentbench.config.expert_mode import (
    DisagreementExpert,
    ExpertModeConfig,
    GroundTruthExpert,
    HumanExpert,
    InformedExpert,
    JudgeExpert,
    NoExpert,
    RandomExpert,
)
from agentbench.config.llm_actors import LlmExpert as LlmExpertConfig
from agentbench.config.llm_actors import LlmJudge as LlmJudgeConfig
from agentbench.config.llm_actors import LlmOverseer as LlmOverseerConfig
from agentbench.config.model import TinyModel
from agentbench.episodes.clock import Waited
from agentbench.episodes.tally import differ
from agentbench.llm import Sampling
from agentbench.policies import Policy
from agentbench.policies.chat import ChatAgent, step_seed
from agentbench.policies.disagreement import Disagreement
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.human import Person
from agentbench.policies.intervention import Intervention
from agentbench.policies.llm_expert import LlmExpert
from agentbench.policies.llm_overseer import LlmOverseer
from agentbench.policies.overseer import RuleOverseer
from agentbench.policies.triggers import Always, Budgeted, Coin, Never, Overseer, Stuck, Trigger
from agentbench.types import Task


class Cast(NamedTuple):
    """The models of a run; `None` where none is needed."""

    agent: Agent | None = None
    expert: Actor | None = None
    overseer: Actor | None = None
    judge: Actor | None = None
    terminal: PersonAtTerminal | None = None

    def preflights(self) -> list[Callable[[], Awaitable[None]]]:
        """What asks their servers whether they are there."""
        beside = (actor.preflight for actor in (self.expert, self.overseer, self.judge, self.terminal) if actor)
        return [*([self.agent.model.preflight] if self.agent and self.agent.model.preflight else []), *beside]

    def breakers(self) -> tuple[Waited, ...]:
        """What knows whether their servers are there, and the person."""
        mine = self.agent.model.breaker if self.agent else None
        beside = (actor.breaker for actor in (self.expert, self.overseer, self.judge) if actor)
        person = (self.terminal,) if self.terminal else ()
        return (*((mine,) if mine else ()), *beside, *person)

    def serving(self) -> AbstractAsyncContextManager[None]:
        """The agent's server, where it is one of our own, watched for as long as the context lasts."""
        served = self.agent.served if self.agent else None
        return served.in_use() if served else nullcontext()

    async def close(self) -> None:
        """Frees connections and memory."""
        if self.agent is not None:
            await self.agent.model.llm.close()
        for actor in (self.expert, self.overseer, self.judge):
            if actor is not None:
                await actor.close()


def needs_agent(config: RolloutConfig) -> bool:
    """Whether a run ever asks the agent: an expert that takes every step, keeps no alternative and has no budget does
    not, unless the agent takes those of branches."""
    mode = config.expert_mode
    branches = config.env.branching is not Branching.NONE
    plays = branches or not isinstance(mode, GroundTruthExpert) or mode.asks_agent
    return plays and config.predictions is None


def cast_of(config: RolloutConfig, field: Field, report: Report) -> Cast:
    """Loads and connects to the models that a run needs.

    Raises:
        PreflightError: one cannot be loaded or reached.
    """
    cache = config.cache_dir
    return Cast(
        agent=agent(config, field.worlds, report) if needs_agent(config) else None,
        expert=llm_expert(config.expert, cache) if isinstance(config.expert, LlmExpertConfig) else None,
        overseer=llm_overseer(config.overseer, cache) if isinstance(config.overseer, LlmOverseerConfig) else None,
        judge=llm_judge(config.judge, cache) if isinstance(config.judge, LlmJudgeConfig) else None,
        terminal=PersonAtTerminal() if isinstance(config.expert_mode, HumanExpert) else None,
    )


def policy_of(config: RolloutConfig, task: Task, seed: int, cast: Cast) -> Policy:
    """Who acts in an episode of the task."""
    if cast.agent is None:
        return _expert(task, seed, cast.expert)
    chat = _chat(config, seed, cast.agent)
    trigger = _trigger(config, task, seed, cast)
    expert = trigger if isinstance(trigger, Person) else _expert(task, seed, cast.expert)
    return Intervention(chat, expert, _budgeted(config.expert_mode, trigger), _keeps_alternative(config))


def alone(config: RolloutConfig, task: Task, seed: int, cast: Cast, *, advised: bool) -> Policy:
    """The agent on a branch; advised, it is told nothing, but what the expert would do is kept."""
    assert cast.agent is not None
    chat = _chat(config, seed, cast.agent)
    return Intervention(chat, _expert(task, seed, cast.expert), Never(), True) if advised else chat


def _chat(config: RolloutConfig, seed: int, agent: Agent) -> ChatAgent:
    return ChatAgent(agent.model.llm, agent.model.template, _sampling(config), seed, config.agent.stop)


def _keeps_alternative(config: RolloutConfig) -> bool:
    return config.expert_mode.save_alternate_trace or config.env.branching is Branching.DIVERGENCE


def _expert(task: Task, seed: int, actor: Actor | None) -> Policy:
    return LlmExpert(task, actor.ask, actor.instructions, seed) if actor else GoldExpert(task)


def _sampling(config: RolloutConfig) -> Sampling:
    longest = config.agent.max_tokens
    if isinstance(config.model, TinyModel):
        longest = min(longest, config.model.max_tokens)
    agent = config.agent
    return Sampling(
        agent.temperature,
        agent.top_p,
        longest,
        top_k=agent.top_k,
        min_p=agent.min_p,
        repetition_penalty=agent.repetition_penalty,
        presence_penalty=agent.presence_penalty,
        frequency_penalty=agent.frequency_penalty,
    )


def _trigger(config: RolloutConfig, task: Task, seed: int, cast: Cast) -> Trigger:
    rng = random.Random(seed)
    match config.expert_mode:
        case NoExpert():
            return Never()
        case GroundTruthExpert():
            return Always()
        case RandomExpert(probability=probability):
            return Coin(probability, rng)
        case InformedExpert(init_limit=init, recent_limit=recent, random_epsilon=epsilon):
            return Stuck(init, _overseer(task, seed, recent, cast.overseer), Coin(epsilon, rng))
        case JudgeExpert(recent_limit=recent):
            return Stuck(0, _overseer(task, seed, recent, cast.overseer), Coin(0.0, rng))
        case DisagreementExpert(votes=votes, temperature=temperature, threshold=threshold):
            return Disagreement(_voters(config, seed, cast, votes, temperature), differ, threshold)
        case HumanExpert():
            return _person(task, cast)


def _budgeted(mode: ExpertModeConfig, trigger: Trigger) -> Trigger:
    if isinstance(mode, NoExpert) or mode.budget is None:
        return trigger
    return Budgeted(trigger, mode.budget)


def _voters(config: RolloutConfig, seed: int, cast: Cast, votes: int, temperature: float) -> tuple[Policy, ...]:
    """The agent several times over, each with seeds of its own."""
    assert cast.agent is not None
    sampling = dataclasses.replace(_sampling(config), temperature=temperature)
    llm, template = cast.agent.model.llm, cast.agent.model.template
    seeds = [step_seed(seed, -1 - vote) for vote in range(votes)]
    return tuple(ChatAgent(llm, template, sampling, each, config.agent.stop) for each in seeds)


def _person(task: Task, cast: Cast) -> Person:
    assert cast.terminal is not None
    return Person(task, cast.terminal)


def _overseer(task: Task, seed: int, recent_limit: int, actor: Actor | None) -> Overseer:
    if actor is None:
        return RuleOverseer(task, recent_limit)
    return LlmOverseer(task, recent_limit, actor.ask, actor.instructions, seed=seed)
