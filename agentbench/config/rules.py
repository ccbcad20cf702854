"""Rules between parts of a configuration, which no single part can check.

A rule names the top-level keys it speaks about and is asked whenever all of them are there and valid, whatever else
is wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.config.env import EnvConfig
from agentbench.config.expert_mode import NoExpert
from agentbench.config.model import ApiMode, ModelConfig, OpenAIModel, TinyModel
from agentbench.config.source import SourceConfig, SqliteSource
from agentbench.config.stage import StageConfig
from agentbench.config.template import TemplateConfig, TemplateKind


class Rule(NamedTuple):
    """A rule about some top-level keys."""

    about: tuple[str, ...]
    check: Callable[..., str]
    """Takes the values of `about`, in order; gives the broken rule as a line, or an empty string."""


def broken_rules(parts: dict[str, Any]) -> list[str]:
    """The lines of all rules that the valid parts of a configuration break."""
    asked = [rule for rule in RULES if all(name in parts for name in rule.about)]
    return [line for rule in asked if (line := rule.check(*(parts[name] for name in rule.about)))]


def _template_fits_model(model: ModelConfig, template: TemplateConfig) -> str:
    teacher = template.kind is TemplateKind.TEACHER
    chat = isinstance(model, OpenAIModel) and model.mode is ApiMode.CHAT
    if chat and not teacher:
        return (
            f"template: model.mode=chat leaves the layout to the server and needs template=teacher, got {template.kind}"
        )
    if teacher and not chat:
        return "template: teacher has no layout of its own and needs model=openai with model.mode=chat"
    if isinstance(model, TinyModel) and template.kind is not TemplateKind.TINY:
        return f"template: model=tiny knows only its own format and needs template=tiny, got {template.kind}"
    if isinstance(model, OpenAIModel) and not chat and template.tokenizer is None:
        return "template.tokenizer: required with model.mode=completions: folder or hub name of the served tokenizer"
    return ""


def _stage_can_train(_stage: StageConfig, model: ModelConfig) -> str:
    if isinstance(model, OpenAIModel):
        return "model: a model behind a server cannot be trained here; choose model=tiny or model=hf"
    return ""


def _own_data_needs_its_source(source: SourceConfig, database: Path | None, documents: Path | None) -> str:
    given = "database" if database else "documents" if documents else ""
    if given and not isinstance(source, SqliteSource):
        return f"{given}: belongs to source=sqlite, not to source={source.kind}"
    return ""


def _alternates_need_expert(expert_mode: object) -> str:
    if isinstance(expert_mode, NoExpert) and expert_mode.save_alternate_trace:
        return "expert_mode.save_alternate_trace: there is no other actor with expert_mode=none; choose an expert_mode"
    return ""


def _worlds_are_named(env: EnvConfig) -> str:
    if not env.worlds:
        return "env.worlds: names no world"
    twice = sorted({name for name in env.worlds if env.worlds.count(name) > 1})
    return f"env.worlds: {', '.join(twice)} named more than once" if twice else ""


RULES = (
    Rule(("model", "template"), _template_fits_model),
    Rule(("stage", "model"), _stage_can_train),
    Rule(("source", "database", "documents"), _own_data_needs_its_source),
    Rule(("expert_mode",), _alternates_need_expert),
    Rule(("env",), _worlds_are_named),
)
