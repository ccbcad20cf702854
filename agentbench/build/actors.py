"""Language models beside the agent: each is one endpoint, asked for JSON, cached, and closed with the run."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from agentbench.build.models import instructions
from agentbench.config.llm_actors import Endpoint, LlmExpert, LlmJudge, LlmOverseer
from agentbench.config.model import ApiMode
from agentbench.llm import Llm, Sampling
from agentbench.llm.breaker import Breaker
from agentbench.llm.cache import CachedLlm
from agentbench.llm.keys import read_key
from agentbench.llm.structured import StructuredLlm
from agentbench.policies.llm_expert import EXPERT_PROMPT
from agentbench.policies.llm_overseer import OVERSEER_PROMPT
from agentbench.scoring import judge


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


def llm_judge(config: LlmJudge, cache_dir: Path) -> Actor:
    """The judge's model with its instructions.

    Raises:
        PreflightError: the file with the instructions cannot be read.
    """
    text = instructions("judge.prompt", config.prompt or judge.CORRECT_PROMPT)
    return _actor("judge", config.endpoint, text, cache_dir)


def _actor(name: str, endpoint: Endpoint, text: str, cache_dir: Path) -> Actor:
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
        section=f"{name}.endpoint",
    )
    llm: Llm = remote
    if endpoint.cache:
        llm = CachedLlm(remote, cache_dir / "llm", f"{endpoint.base_url} {endpoint.name}")
    sampling = Sampling(temperature=endpoint.temperature, max_tokens=endpoint.max_tokens)
    return Actor(StructuredLlm(llm, sampling, endpoint.schema_guided), text, remote.check, llm.close, remote.breaker)
