"""The agent's model and the template that speaks to it; a tiny student is trained where it is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentbench.build import Report
from agentbench.build.students import trained_student
from agentbench.config.agent import AgentConfig, ChatAgent, CoderAgent, Instructions, PairAgent, PlannerAgent
from agentbench.config.entry import RolloutConfig
from agentbench.config.model import Dtype, HfModel, OpenAIModel, TinyModel
from agentbench.config.template import TemplateKind
from agentbench.errors import ConfigError, PreflightError
from agentbench.llm import Llm
from agentbench.llm.breaker import Breaker
from agentbench.llm.fleet import Fleet
from agentbench.llm.keys import read_key
from agentbench.llm.served import DecodedLlm
from agentbench.policies.chat import AGENT_PROMPT, CALLS_PROMPT, CODER_PROMPT, SERVICE_PROMPT
from agentbench.policies.planner import PLANNER_PROMPT
from agentbench.templates import Family, Template
from agentbench.templates.plain import student_deepseek_coder, student_starcoder2
from agentbench.templates.student_granite3 import StudentGranite3
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.student_qwen25 import StudentQwen25
from agentbench.templates.teacher import Teacher
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer
from agentbench.worlds.manifest import World

if TYPE_CHECKING:
    from agentbench.llm.openai import OpenAILlm


class Model(NamedTuple):
    """An agent's model with the template that speaks to it."""

    llm: Llm
    template: Template
    preflight: Callable[[], Awaitable[None]] | None = None
    """Asks the model's server whether it is there and has the model, before the first episode."""
    breaker: Breaker | None = None
    """Whether the model's server is there."""
    voiced: Callable[[str], Template] | None = None
    """The template with other instructions, for agents that speak in several roles; `None` where they are refused."""


def model(config: RolloutConfig, found: tuple[World, ...], report: Report) -> Model:
    """Loads or connects to the agent's model; a tiny student that is not there is trained first, on the worlds found.

    Raises:
        PreflightError: the model cannot be loaded, the server cannot be reached, or a tokenizer is missing.
    """
    match config.model:
        case TinyModel() as tiny:
            folder = tiny.path or trained_student(tiny, config, found, report)
            return _in_process(HfModel(path=str(folder), dtype=Dtype.FLOAT64, max_batch=tiny.max_batch), config)
        case HfModel() as hf:
            return _in_process(hf, config, report)
        case OpenAIModel() as remote:
            return _remote(remote, config, report)


def _in_process(hf: HfModel, config: RolloutConfig, report: Report | None = None) -> Model:
    import torch

    from agentbench.llm.grammar import Guides
    from agentbench.llm.hf import HfLlm
    from agentbench.llm.hf_load import load_hf

    if isinstance(config.model, TinyModel):
        torch.set_num_threads(1)
    _refuse_unguided(config.agent)
    loaded = load_hf(hf.path, hf.adapter, hf.dtype, hf.device, quantization=hf.quantization)
    tokenizer = load_tokenizer(config.template.tokenizer or hf.path)
    voiced = _voiced(config, tokenizer)
    layout = voiced(system_prompt(config.agent))
    stop_ids = list(_stop(layout, tokenizer))
    llm = HfLlm(
        loaded,
        tokenizer.decode,
        stop_ids,
        max_batch=hf.max_batch,
        prefix_bytes=int(hf.prefix_cache_gib * 2**30),
        guides=Guides(tokenizer.description, loaded.config.vocab_size, stop_ids[0]),
        report=report,
    )
    return Model(llm, layout, voiced=voiced)


def _voiced(config: RolloutConfig, tokenizer: Tokenizer) -> Callable[[str], TokenTemplate]:
    """Makes the run's template with the instructions it is given."""
    layout = family(config.template.kind, config.template.thinking)
    return lambda system: TokenTemplate(layout, tokenizer, system)


def _refuse_unguided(agent: AgentConfig) -> None:
    """Lets agents pass that can be held to schemas in this process.

    Raises:
        PreflightError: the engine for it is not installed.
    """
    if not isinstance(agent, PlannerAgent) or not agent.guided:
        return
    from agentbench.llm import grammar

    if not grammar.is_installed():
        raise PreflightError("agent.guided=true needs llguidance, which is not installed", grammar.INSTALL)


def _remote(remote: OpenAIModel, config: RolloutConfig, report: Report) -> Model:
    llm = _client(remote, config) if isinstance(remote.base_url, str) else _fleet(remote, config, report)
    system = system_prompt(config.agent)
    if config.template.kind is TemplateKind.TEACHER:
        return Model(llm, Teacher(system), llm.check, llm.breaker, Teacher)
    tokenizer = load_tokenizer(config.template.tokenizer or remote.name)
    voiced = _voiced(config, tokenizer)
    layout = voiced(system)
    decoded = DecodedLlm(llm, layout.decode, _stop(layout, tokenizer))
    return Model(decoded, layout, llm.check, llm.breaker, voiced)


def _stop(template: Template, tokenizer: Tokenizer) -> dict[int, str]:
    """The control tokens that end a completion, by id."""
    return {index: text for text in template.stop if (index := tokenizer.id_of(text)) is not None}


def _fleet(remote: OpenAIModel, config: RolloutConfig, report: Report) -> Fleet:
    """Servers that neither repeat attempts nor wait by themselves: the fleet asks another."""
    alone = [dataclasses.replace(remote, base_url=url, max_retries=0, down_timeout_s=0.0) for url in remote.base_url]
    members = {str(one.base_url): _client(one, config) for one in alone}
    return Fleet(members, max_retries=remote.max_retries, down_timeout_s=remote.down_timeout_s, report=report)


def _client(remote: OpenAIModel, config: RolloutConfig) -> OpenAILlm:
    from agentbench.llm.openai import OpenAILlm

    return OpenAILlm(
        str(remote.base_url),
        remote.name,
        remote.mode,
        read_key(remote.api_key_env),
        timeout_s=remote.timeout_s,
        max_retries=remote.max_retries,
        max_connections=remote.max_connections or config.concurrency,
        down_timeout_s=remote.down_timeout_s,
    )


def family(kind: TemplateKind, thinking: bool = True) -> Family:
    """The text layout of a model family.

    Raises:
        ConfigError: `teacher` has messages instead of a layout, or a family without this switch is not to think.
    """
    if not thinking and kind is not TemplateKind.STUDENT_QWEN3:
        raise ConfigError([f"template.thinking: can be switched off for student_qwen3 alone, not for {kind}"])
    match kind:
        case TemplateKind.TINY:
            return Tiny()
        case TemplateKind.STUDENT_QWEN3:
            return StudentQwen3(thinking)
        case TemplateKind.STUDENT_QWEN25:
            return StudentQwen25()
        case TemplateKind.STUDENT_MISTRAL:
            return StudentMistral()
        case TemplateKind.STUDENT_GRANITE3:
            return StudentGranite3()
        case TemplateKind.STUDENT_DEEPSEEK_CODER:
            return student_deepseek_coder()
        case TemplateKind.STUDENT_STARCODER2:
            return student_starcoder2()
        case TemplateKind.TEACHER:
            raise ConfigError(["template.kind: teacher writes messages; this needs a template with tokens of its own"])


def system_prompt(agent: AgentConfig) -> str:
    """The agent's instructions.

    Raises:
        PreflightError: the file that the configuration names cannot be read.
    """
    match agent:
        case PlannerAgent():
            shipped = PLANNER_PROMPT
        case CoderAgent() | PairAgent():
            shipped = CODER_PROMPT
        case ChatAgent(prompt=Instructions.CALLS):
            shipped = CALLS_PROMPT
        case ChatAgent(prompt=Instructions.SERVICE):
            shipped = SERVICE_PROMPT
        case ChatAgent():
            shipped = AGENT_PROMPT
    return instructions("agent.system_prompt", agent.system_prompt or shipped)


def instructions(key: str, path: Path) -> str:
    """A prompt from its file; `key` is the configuration key that names it.

    Raises:
        PreflightError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PreflightError(f"{key}={str(path)!r} cannot be read: {error}") from None
