"""Rules between the parts of an evaluation's configuration; each gives the broken one as a line, or an empty string."""

from __future__ import annotations

from pathlib import Path

from agentbench.config.agent import AgentConfig
from agentbench.config.expert_mode import ExpertModeConfig, GroundTruthExpert, NoExpert
from agentbench.config.llm_actors import JudgeConfig, NoJudge
from agentbench.config.model import ModelConfig, OpenAIModel


def samples_differ(samples: int, agent: AgentConfig, model: ModelConfig, expert_mode: ExpertModeConfig) -> str:
    """Several episodes of a task must be able to differ; what a server answers may differ anyway."""
    chance = agent.temperature > 0 or isinstance(model, OpenAIModel)
    if isinstance(expert_mode, GroundTruthExpert) and not expert_mode.asks_agent:
        chance = False
    if samples == 1 or chance or not isinstance(expert_mode, NoExpert | GroundTruthExpert):
        return ""
    return f"samples: {samples} episodes of a task would be the same one; set agent.temperature=1 or leave samples away"


def regrade_is_alone(regrade: Path | None, predictions: Path | None) -> str:
    """Episodes come from one place."""
    return "predictions: there is regrade already; give one of the two" if regrade and predictions else ""


def labels_have_a_judge(labels: Path | None, judge: JudgeConfig) -> str:
    """Labels measure a judge's errors."""
    return (
        "labels: they measure the errors of a judge; choose judge=llm" if labels and isinstance(judge, NoJudge) else ""
    )
