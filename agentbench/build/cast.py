"""The models of a run, and who acts in its episodes: the agent, with an expert beside it or alone."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from types import MappingProxyType
from typing import NamedTuple

from agentbench.build import Report
from agentbench.build.actors import (
    Actor,
    caller_instructions,
    llm_callers,
    llm_expert,
    llm_judge,
    llm_overseer,
    llm_perceiver,
    perceiver_instructions,
)
from agentbench.build.agent import Agent, agent
from agentbench.build.fields import Field
from agentbench.build.person import PersonAtTerminal
from agentbench.config.agent import ChatAgent as ChatConfig
from agentbench.config.agent import CodeForm
from agentbench.config.agent import CoderAgent as CoderConfig
from agentbench.config.agent import PairAgent as PairConfig
from agentbench.config.agent import PlannerAgent as PlannerConfig
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
from agentbench.config.injection import SHOWN_OTHERWISE
from agentbench.config.llm_actors import LlmExpert as LlmExpertConfig
from agentbench.config.llm_actors import LlmJudge as LlmJudgeConfig
from agentbench.config.llm_actors import LlmOverseer as LlmOverseerConfig
from agentbench.config.model import TinyModel
from agentbench.episodes.clock import Waited
from agentbench.episodes.tally import differ
from agentbench.llm import Sampling
from agentbench.policies import Policy
from agentbench.policies.callers import ModelCaller, OwnCaller, Voice
from agentbench.policies.chat import ChatAgent, step_seed
from agentbench.policies.coder import Coder
from agentbench.policies.defended import Defended
from agentbench.policies.disagreement import Disagreement
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.human import Person
from agentbench.policies.intervention import Intervention
from agentbench.policies.llm_expert import LlmExpert
from agentbench.policies.llm_overseer import LlmOverseer
from agentbench.policies.overseer import RuleOverseer
from agentbench.policies.pair import ModelPerceiver, OwnPerceiver, Pair
from agentbench.policies.planner import Callers, Planner, PlannerSettings
from agentbench.policies.triggers import Always, Budgeted, Coin, Never, Overseer, Stuck, Trigger
from agentbench.types import Task


class Cast(NamedTuple):
    """The models of a run; `None` where none is needed."""

    agent: Agent | None = None
    expert: Actor | None = None
    overseer: Actor | None = None
    judge: Actor | None = None
    terminal: PersonAtTerminal | None = None
    callers: Mapping[str, Actor] = MappingProxyType({})
    """Models that write the arguments of a planner's calls: of the tool named, and under "" of all others."""
    perceiver: Actor | None = None
    """The model that perceives for a pair, where the agent's own does not."""

    @property
    def beside(self) -> tuple[Actor, ...]:
        """The models beside the agent's own."""
        named = (self.expert, self.overseer, self.judge, self.perceiver)
        return tuple(actor for actor in (*named, *self.callers.values()) if actor)

    def preflights(self) -> list[Callable[[], Awaitable[None]]]:
        """What asks their servers whether they are there."""
        mine = [self.agent.model.preflight] if self.agent and self.agent.model.preflight else []
        person = [self.terminal.preflight] if self.terminal else []
        return [*mine, *(actor.preflight for actor in self.beside), *person]

    def breakers(self) -> tuple[Waited, ...]:
        """What knows whether their servers are there, and the person."""
        mine = self.agent.model.breaker if self.agent else None
        beside = (actor.breaker for actor in self.beside)
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
        for actor in self.beside:
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
    acts = needs_agent(config)
    return Cast(
        agent=agent(config, field.worlds, report) if acts else None,
        expert=llm_expert(config.expert, cache) if isinstance(config.expert, LlmExpertConfig) else None,
        overseer=llm_overseer(config.overseer, cache) if isinstance(config.overseer, LlmOverseerConfig) else None,
        judge=llm_judge(config.judge, config.scorer, cache) if isinstance(config.judge, LlmJudgeConfig) else None,
        terminal=PersonAtTerminal() if isinstance(config.expert_mode, HumanExpert) else None,
        callers=llm_callers(config.agent, cache) if acts and isinstance(config.agent, PlannerConfig) else {},
        perceiver=llm_perceiver(config.agent, cache) if acts and isinstance(config.agent, PairConfig) else None,
    )


def policy_of(config: RolloutConfig, task: Task, seed: int, cast: Cast) -> Policy:
    """Who acts in an episode of the task."""
    if cast.agent is None:
        return _expert(task, seed, cast.expert)
    own = _own(config, seed, cast)
    trigger = _trigger(config, task, seed, cast)
    expert = trigger if isinstance(trigger, Person) else _expert(task, seed, cast.expert)
    return Intervention(own, expert, _budgeted(config.expert_mode, trigger), _keeps_alternative(config))


def alone(config: RolloutConfig, task: Task, seed: int, cast: Cast, *, advised: bool) -> Policy:
    """The agent on a branch; advised, it is told nothing, but what the expert would do is kept."""
    own = _own(config, seed, cast)
    return Intervention(own, _expert(task, seed, cast.expert), Never(), True) if advised else own


def _own(config: RolloutConfig, seed: int, cast: Cast, temperature: float | None = None) -> Policy:
    """The agent under study, shown results as the run's defence has them; `temperature` in place of its own."""
    policy, defence = _undefended(config, seed, cast, temperature), config.env.injection.defence
    return Defended(policy, defence) if defence in SHOWN_OTHERWISE else policy


def _undefended(config: RolloutConfig, seed: int, cast: Cast, temperature: float | None) -> Policy:
    assert cast.agent is not None
    model, sampling = cast.agent.model, _sampling(config)
    if temperature is not None:
        sampling = dataclasses.replace(sampling, temperature=temperature)
    match config.agent:
        case CoderConfig(writes=form) as coder if form is not CodeForm.CALLS:
            return Coder(Voice(model.llm, model.template, sampling, coder.stop), form, seed)
        case ChatConfig(stop=stop) | CoderConfig(stop=stop):
            return ChatAgent(model.llm, model.template, sampling, seed, stop)
        case PairConfig() as pair:
            return _pair(pair, Voice(model.llm, model.template, sampling, pair.stop), seed, cast)
        case PlannerConfig() as planner:
            return _planner(planner, Voice(model.llm, model.template, sampling, planner.stop), seed, cast)


def _pair(config: PairConfig, voice: Voice, seed: int, cast: Cast) -> Pair:
    text = perceiver_instructions(config)
    if cast.perceiver is not None:
        return Pair(ModelPerceiver(cast.perceiver.ask, text), voice, seed)
    assert cast.agent is not None
    assert cast.agent.model.voiced is not None
    sampling = dataclasses.replace(voice.sampling, max_tokens=config.perceiver_tokens)
    critic = voice._replace(template=cast.agent.model.voiced(text), sampling=sampling)
    return Pair(OwnPerceiver(critic), voice, seed)


def _planner(config: PlannerConfig, voice: Voice, seed: int, cast: Cast) -> Planner:
    assert cast.agent is not None
    assert cast.agent.model.voiced is not None
    text, chars = caller_instructions(config), config.argument_chars
    made = {name: ModelCaller(actor.ask, text, chars) for name, actor in cast.callers.items()}
    own = OwnCaller(voice._replace(template=cast.agent.model.voiced(text)), chars, guided=config.guided)
    callers = Callers(made.pop("", own), made, frozenset(config.direct))
    return Planner(voice, callers, PlannerSettings(config.list_tools, config.guided, config.task_chars), seed)


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

    def overseer(recent_limit: int) -> Overseer:
        if cast.overseer is None:
            return RuleOverseer(task, recent_limit, several_calls=config.env.several_calls)
        return LlmOverseer(task, recent_limit, cast.overseer.ask, cast.overseer.instructions, seed=seed)

    match config.expert_mode:
        case NoExpert():
            return Never()
        case GroundTruthExpert():
            return Always()
        case RandomExpert(probability=probability):
            return Coin(probability, rng)
        case InformedExpert(init_limit=init, recent_limit=recent, random_epsilon=epsilon):
            return Stuck(init, overseer(recent), Coin(epsilon, rng))
        case JudgeExpert(recent_limit=recent):
            return Stuck(0, overseer(recent), Coin(0.0, rng))
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
    seeds = [step_seed(seed, -1 - vote) for vote in range(votes)]
    return tuple(_own(config, each, cast, temperature) for each in seeds)


def _person(task: Task, cast: Cast) -> Person:
    assert cast.terminal is not None
    return Person(task, cast.terminal)
