"""Rules about experts; each gives the broken one as a line, or an empty string."""

from __future__ import annotations

from agentbench.config.cluster import PlayLauncher, RayLauncher
from agentbench.config.expert_mode import (
    ExpertModeConfig,
    HumanExpert,
    InformedExpert,
    JudgeExpert,
    NoExpert,
)
from agentbench.config.launcher import LauncherConfig
from agentbench.config.llm_actors import ExpertConfig, LlmExpert, LlmOverseer, OverseerConfig


def alternates_need_expert(expert_mode: ExpertModeConfig) -> str:
    """Alternates are somebody's."""
    if isinstance(expert_mode, NoExpert) and expert_mode.save_alternate_trace:
        return "expert_mode.save_alternate_trace: there is no other actor with expert_mode=none; choose an expert_mode"
    return ""


def llm_expert_is_used(expert_mode: ExpertModeConfig, expert: ExpertConfig) -> str:
    """A model that is given is asked."""
    if isinstance(expert_mode, NoExpert | HumanExpert) and isinstance(expert, LlmExpert):
        mode = expert_mode.kind
        return f"expert: nobody asks an expert with expert_mode={mode}; choose another expert_mode, or leave it away"
    return ""


def llm_overseer_is_used(expert_mode: ExpertModeConfig, overseer: OverseerConfig) -> str:
    """A model that is given is asked, and one that is asked is given."""
    if isinstance(overseer, LlmOverseer) and not isinstance(expert_mode, InformedExpert | JudgeExpert):
        return "overseer: only expert_mode=informed and judge ask one; choose one of them, or leave the overseer away"
    if isinstance(expert_mode, JudgeExpert) and not isinstance(overseer, LlmOverseer):
        return (
            "overseer: expert_mode=judge asks a language model at every step and needs overseer=llm with "
            "overseer.endpoint; rules oversee with expert_mode=informed"
        )
    return ""


def person_is_here(expert_mode: ExpertModeConfig, launcher: LauncherConfig | PlayLauncher) -> str:
    """Workers elsewhere have no terminal."""
    if isinstance(expert_mode, HumanExpert) and isinstance(launcher, RayLauncher):
        return "launcher: with expert_mode=human a person answers at this terminal; leave launcher=ray away"
    return ""
