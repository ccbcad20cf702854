"""Language models beside the agent: each is one endpoint, asked for JSON, cached, and closed with the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from agentbench.build.models import instructions
from agentbench.config.agent import EndpointModel, PairAgent, PlannerAgent
from agentbench.config.env_assistant import SimulatorConfig
from agentbench.config.env_tau2 import LlmUser
from agentbench.config.llm_actors import Endpoint, LlmExpert, LlmJudge, LlmOverseer
from agentbench.config.model import ApiMode
from agentbench.config.scorer import EnvironmentScorer, RatingScorer, ScorerConfig
from agentbench.config.source import AssistantSource
from agentbench.envs.llm_user import USER_PROMPT
from agentbench.llm import Llm, Sampling
from agentbench.llm.breaker import Breaker
from agentbench.llm.cache import CachedLlm
from agentbench.llm.keys import read_key
from agentbench.llm.structured import StructuredLlm
from agentbench.policies.llm_expert import EXPERT_PROMPT
from agentbench.policies.llm_overseer import OVERSEER_PROMPT
from agentbench.policies.pair import PERCEPTION, PERCEPTION_PROMPT
from agentbench.policies.planner import CALLER_PROMPT
from agentbench.scoring import claims, judge, rating
from agentbench.tools.simulated.simulated_tool import TOOL_PROMPT
from agentbench.worlds.assistant_requests import REQUESTS_PROMPT


class Actor(NamedTuple):
    """One model that can be asked."""

    ask: StructuredLlm
    instructions: str
    preflight: Callable[[], Awaitable[None]]
    """Asks its server whether it is there and has the model."""
    close: Callable[[], Awaitable[None]]
    breaker: Breaker
    """Whether its server is there."""


def llm_expert(config: LlmExpert, cache_dir: Path) -> Actor:
    """The expert's model with its instructions.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    return _actor("expert", config.endpoint, instructions("expert.prompt", config.prompt or EXPERT_PROMPT), cache_dir)


def llm_overseer(config: LlmOverseer, cache_dir: Path) -> Actor:
    """The overseer's model with its instructions.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    text = instructions("overseer.prompt", config.prompt or OVERSEER_PROMPT)
    return _actor("overseer", config.endpoint, text, cache_dir)


def llm_judge(config: LlmJudge, scorer: ScorerConfig, cache_dir: Path) -> Actor:
    """The judge's model with its instructions: those for what the scorer asks it.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    match scorer:
        case RatingScorer():
            shipped = rating.RATING_PROMPT
        case EnvironmentScorer():
            shipped = claims.CLAIMS_PROMPT
        case _:
            shipped = judge.CORRECT_PROMPT
    text = instructions("judge.prompt", config.prompt or shipped)
    return _actor("judge", config.endpoint, text, cache_dir)


def llm_callers(agent: PlannerAgent, cache_dir: Path) -> dict[str, Actor]:
    """The models that write arguments beside the agent's own: by the tool they write for, and under "" for all others.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    text = caller_instructions(agent)
    found = {
        name: _actor("caller", endpoint, text, cache_dir, f"agent.specialists.{name}")
        for name, endpoint in agent.specialists.items()
    }
    if isinstance(agent.caller, EndpointModel):
        found[""] = _actor("caller", agent.caller.endpoint, text, cache_dir, "agent.caller.endpoint")
    return found


def caller_instructions(agent: PlannerAgent) -> str:
    """What those who write arguments are told.

    Raises:
        PreflightError: the file that the configuration names cannot be read.
    """
    return instructions("agent.caller_prompt", agent.caller_prompt or CALLER_PROMPT)


def llm_perceiver(agent: PairAgent, cache_dir: Path) -> Actor | None:
    """The model that perceives beside the agent's own; `None` where that one does it itself.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    if not isinstance(agent.perceiver, EndpointModel):
        return None
    text = perceiver_instructions(agent)
    return _actor(PERCEPTION, agent.perceiver.endpoint, text, cache_dir, "agent.perceiver.endpoint")


def perceiver_instructions(agent: PairAgent) -> str:
    """What a critic is told.

    Raises:
        PreflightError: the file that the configuration names cannot be read.
    """
    return instructions("agent.perceiver_prompt", agent.perceiver_prompt or PERCEPTION_PROMPT)


def llm_simulator(config: SimulatorConfig, cache_dir: Path) -> Actor:
    """The model that answers in the place of tools, with its instructions.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    text = instructions("env.simulator.prompt", config.prompt or TOOL_PROMPT)
    return _actor("simulator", config.endpoint, text, cache_dir, "env.simulator.endpoint")


def llm_requester(config: AssistantSource, cache_dir: Path) -> Actor:
    """The model that writes requests, with its instructions.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    text = instructions("source.prompt", config.prompt or REQUESTS_PROMPT)
    return _actor("requests", config.endpoint, text, cache_dir, "source.endpoint")


def llm_user(config: LlmUser, cache_dir: Path) -> Actor:
    """The model that plays users, with its instructions.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    text = instructions("env.user.prompt", config.prompt or USER_PROMPT)
    return _actor("user", config.endpoint, text, cache_dir, "env.user.endpoint")


def llm_summariser(endpoint: Endpoint, cache_dir: Path) -> Actor:
    """The model that sums up pages of the web; its instructions are the tool's own."""
    return _actor("summary", endpoint, "", cache_dir, "env.web.summary")


def _actor(name: str, endpoint: Endpoint, text: str, cache_dir: Path, section: str = "") -> Actor:
    from agentbench.llm.openai import OpenAILlm

    remote = OpenAILlm(
        endpoint.base_url,
        endpoint.name,
        ApiMode.CHAT,
        read_key(endpoint.api_key_env),
        timeout_s=endpoint.timeout_s,
        max_retries=endpoint.max_retries,
        max_connections=endpoint.max_connections,
        down_timeout_s=endpoint.down_timeout_s,
        section=section or f"{name}.endpoint",
    )
    llm: Llm = remote
    if endpoint.cache:
        llm = CachedLlm(remote, cache_dir / "llm", f"{endpoint.base_url} {endpoint.name}")
    sampling = Sampling(temperature=endpoint.temperature, max_tokens=endpoint.max_tokens)
    return Actor(StructuredLlm(llm, sampling, endpoint.schema_guided), text, remote.check, llm.close, remote.breaker)
