"""The agent's model and the template that speaks to it; a tiny student is trained where it is missing."""

from __future__ import annotations

import dataclasses
import hashlib
import shlex
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import orjson

from agentbench.app.children import end_with_parent
from agentbench.build import Report
from agentbench.config.agent import AgentConfig
from agentbench.config.entry import RolloutConfig
from agentbench.config.env import M3Env
from agentbench.config.model import Dtype, HfModel, OpenAIModel, TinyModel
from agentbench.config.retriever import RetrieverConfig
from agentbench.config.stage import SftStage
from agentbench.config.template import TemplateKind
from agentbench.errors import ConfigError, PreflightError
from agentbench.llm import Llm
from agentbench.llm.breaker import Breaker
from agentbench.llm.fleet import Fleet
from agentbench.llm.keys import read_key
from agentbench.llm.served import DecodedLlm
from agentbench.policies.chat import AGENT_PROMPT
from agentbench.templates import Family, Template
from agentbench.templates.student_granite3 import StudentGranite3
from agentbench.templates.student_mistral import StudentMistral
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.teacher import Teacher
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import Tokenizer, load_tokenizer
from agentbench.worlds.manifest import World

if TYPE_CHECKING:
    from agentbench.llm.openai import OpenAILlm

STUDENT_GENERATION = 3
"""Counts changes of the making that no configuration shows, its copying lesson for one; old students are not reused."""


class Model(NamedTuple):
    """An agent's model with the template that speaks to it."""

    llm: Llm
    template: Template
    preflight: Callable[[], Awaitable[None]] | None = None
    """Asks the model's server whether it is there and has the model, before the first episode."""
    breaker: Breaker | None = None
    """Whether the model's server is there."""


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

    from agentbench.llm.hf import HfLlm
    from agentbench.llm.hf_load import load_hf

    if isinstance(config.model, TinyModel):
        torch.set_num_threads(1)
    loaded = load_hf(hf.path, hf.adapter, hf.dtype, hf.device)
    tokenizer = load_tokenizer(config.template.tokenizer or hf.path)
    layout = TokenTemplate(
        family(config.template.kind, config.template.thinking), tokenizer, system_prompt(config.agent)
    )
    stop_ids = list(_stop(layout, tokenizer))
    prefix_bytes = int(hf.prefix_cache_gib * 2**30)
    llm = HfLlm(loaded, tokenizer.decode, stop_ids, max_batch=hf.max_batch, prefix_bytes=prefix_bytes, report=report)
    return Model(llm, layout)


def _remote(remote: OpenAIModel, config: RolloutConfig, report: Report) -> Model:
    llm = _client(remote, config) if isinstance(remote.base_url, str) else _fleet(remote, config, report)
    system = system_prompt(config.agent)
    if config.template.kind is TemplateKind.TEACHER:
        return Model(llm, Teacher(system), llm.check, llm.breaker)
    tokenizer = load_tokenizer(config.template.tokenizer or remote.name)
    layout = TokenTemplate(family(config.template.kind, config.template.thinking), tokenizer, system)
    decoded = DecodedLlm(llm, layout.decode, _stop(layout, tokenizer))
    return Model(decoded, layout, llm.check, llm.breaker)


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
        case TemplateKind.STUDENT_MISTRAL:
            return StudentMistral()
        case TemplateKind.STUDENT_GRANITE3:
            return StudentGranite3()
        case TemplateKind.TEACHER:
            raise ConfigError(["template.kind: teacher writes messages; this needs a template with tokens of its own"])


def system_prompt(agent: AgentConfig) -> str:
    """The agent's instructions.

    Raises:
        PreflightError: the file that the configuration names cannot be read.
    """
    return instructions("agent.system_prompt", agent.system_prompt or AGENT_PROMPT)


def instructions(key: str, path: Path) -> str:
    """A prompt from its file; `key` is the configuration key that names it.

    Raises:
        PreflightError: the file cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PreflightError(f"{key}={str(path)!r} cannot be read: {error}") from None


def trained_student(tiny: TinyModel, config: RolloutConfig, found: tuple[World, ...], report: Report) -> Path:
    """The folder of the tiny student of these settings, trained by a process of its own if it is not cached.

    Raises:
        PreflightError: training failed; its own message stands above.
    """
    env = config.env
    if not isinstance(env, M3Env):
        raise PreflightError(
            "a tiny student is trained on worlds, and this run has none", "model.path=… or another model"
        )
    folder = student_folder(tiny, env, config.retriever, cache_dir=config.cache_dir, found=found)
    if (folder / "config.json").is_file():
        return folder
    report(f"no tiny student for these settings yet: training one on gold trajectories into {folder}")
    command = [sys.executable, "-m", "agentbench.train", *_student_overrides(tiny, env, config)]
    with_us = end_with_parent(signal.SIGTERM)  # a training that nobody waits for serves nobody
    done = subprocess.run(command, check=False, preexec_fn=with_us)
    if done.returncode != 0 or not (folder / "config.json").is_file():
        raise PreflightError("the tiny student could not be trained", shlex.join(["python", *command[1:]]))
    return folder


def student_folder(
    tiny: TinyModel, env: M3Env, retriever: RetrieverConfig, *, cache_dir: Path, found: tuple[World, ...]
) -> Path:
    """Where the tiny student of these settings is cached; the name holds a hash of all that shapes what it learns.

    Horizon, ablations of the interface and the engine that searches documents do not: runs that differ in them are
    runs of the same student.
    """
    shape = [tiny.hidden_size, tiny.layers, tiny.heads, tiny.vocab_size]
    seen = [env.tools, env.contract, env.earlier_turns, env.distractors, env.shown_values, retriever.top_k]
    seen.append(retriever.expose_top_k)
    learnt = [STUDENT_GENERATION, SftStage(), shape, seen, [world.manifest.fingerprint for world in found]]
    return cache_dir / "models" / f"tiny-{hashlib.sha256(orjson.dumps(learnt)).hexdigest()[:12]}"


def _student_overrides(tiny: TinyModel, env: M3Env, config: RolloutConfig) -> list[str]:
    names = ",".join(f"'{name}'" for name in env.worlds)
    return [
        f"model.hidden_size={tiny.hidden_size}",
        f"model.layers={tiny.layers}",
        f"model.heads={tiny.heads}",
        f"model.vocab_size={tiny.vocab_size}",
        f"env.worlds=[{names}]",
        f"env.tools={env.tools.value}",
        f"env.distractors={env.distractors}",
        f"env.shown_values={env.shown_values}",
        f"env.contract={env.contract.value}",
        f"env.earlier_turns={env.earlier_turns.value}",
        f"retriever.top_k={config.retriever.top_k}",
        f"retriever.expose_top_k={config.retriever.expose_top_k}",
        f"cache_dir='{config.cache_dir}'",
    ]
