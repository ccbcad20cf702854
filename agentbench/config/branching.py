"""Trees of trajectories: where an episode branches and how far its branches go, and the rules of these settings."""

from __future__ import annotations

from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agentbench.config.agent import AgentConfig
from agentbench.config.expert_mode import ExpertModeConfig, GroundTruthExpert, HumanExpert, NoExpert
from agentbench.config.model import ApiMode, ModelConfig, OpenAIModel
from agentbench.config.schema import schema

if TYPE_CHECKING:
    from agentbench.config.env import EnvConfig


class Branching(StrEnum):
    """At which states other ways are followed to their ends, by the agent alone."""

    NONE = "none"
    DIVERGENCE = "divergence"
    """Where agent and expert would do different things: the action that was not executed. The expert is asked at every
    step for this, as with `expert_mode.save_alternate_trace`."""
    LOW_CONFIDENCE = "low_confidence"
    """Where the agent's own tokens were unlikely: fresh samples of the agent."""
    RANDOM = "random"
    """With a probability: fresh samples of the agent."""


class Confidence(StrEnum):
    """What an agent's confidence in a step is, of the natural-log probabilities of the tokens it said."""

    MEAN = "mean"
    MIN = "min"


class Counted(StrEnum):
    """Which of the agent's tokens a budget counts."""

    SAMPLED = "sampled"
    """Those of completions: what a server that remembers prompts has to compute anew."""
    ALL = "all"
    """Prompts as well, each time they are sent."""


class Restore(StrEnum):
    """How an environment is brought back to an earlier state."""

    AUTO = "auto"
    """Copied where it can be, played again where it cannot."""
    REPLAY = "replay"
    """Played again in a fresh environment, whose observations must be the same: shows that it is deterministic."""


@schema
class BranchesConfig:
    """How many branches an episode may have, and where they begin."""

    depth: Annotated[int, Field(ge=1, le=100)] = 1
    """Levels of branches: 1 only leaves the executed path, 2 leaves those branches too."""
    width: Annotated[int, Field(ge=1, le=100)] = 1
    """Most other ways followed from one state. As many samples are drawn; those that do the same as another are
    dropped, and not drawn again."""
    budget_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of the agent that one tree may take, the executed path included; past it no further branch is begun. Off:
    any."""
    counted: Counted = Counted.SAMPLED
    probability: Annotated[float, Field(gt=0, le=1)] = 0.25
    """With branching=random: chance of each state to be branched from."""
    confidence: Confidence = Confidence.MEAN
    threshold: Annotated[float, Field(le=0)] = -0.1
    """With branching=low_confidence: natural-log probability per token; states below it are branched from."""
    restore: Restore = Restore.AUTO


_ONLY_FOR = {
    "probability": Branching.RANDOM,
    "confidence": Branching.LOW_CONFIDENCE,
    "threshold": Branching.LOW_CONFIDENCE,
}


def branches_are_used(env: EnvConfig) -> str:
    """Settings that would do nothing are refused."""
    default = BranchesConfig()
    names = [each.name for each in fields(default)]
    given = [name for name in names if vars(env.branches)[name] != vars(default)[name]]
    for name in given:
        if env.branching is Branching.NONE:
            return f"env.branches.{name}: nothing branches; set env.branching=random, or leave it away"
        if _ONLY_FOR.get(name, env.branching) is not env.branching:
            return f"env.branches.{name}: belongs to env.branching={_ONLY_FOR[name]}, not to {env.branching}"
    if "counted" in given and env.branches.budget_tokens is None:
        return "env.branches.counted: nothing is counted without env.branches.budget_tokens"
    return ""


def branches_can_be_restored(env: EnvConfig) -> str:
    """Servers of somebody else keep what they keep."""
    if env.branching is not Branching.NONE and env.kind == "mcp":
        return (
            f"env.branching: {env.branching} brings environments back to earlier states, which tools of MCP servers "
            "cannot be; leave it away, or use env=m3"
        )
    return ""


def branches_have_their_actors(env: EnvConfig, expert_mode: ExpertModeConfig) -> str:
    """Whoever differs, or is unsure, has to be asked."""
    if env.branching is Branching.DIVERGENCE and isinstance(expert_mode, NoExpert):
        return "env.branching: divergence is between agent and expert; choose expert_mode=informed or another one"
    if env.branching is Branching.DIVERGENCE and isinstance(expert_mode, HumanExpert):
        return "env.branching: divergence asks the expert at every step, more than a person is for; use random"
    alone = isinstance(expert_mode, GroundTruthExpert) and not expert_mode.asks_agent
    if env.branching is Branching.LOW_CONFIDENCE and alone:
        return (
            "env.branching: low_confidence is the agent's, which expert_mode=ground_truth does not ask; set "
            "expert_mode.save_alternate_trace=true"
        )
    return ""


def branches_differ(env: EnvConfig, agent: AgentConfig, _samples: int) -> str:
    """A greedy agent that is asked again says the same again; stages that play have a temperature of their own."""
    sampled = env.branching in (Branching.RANDOM, Branching.LOW_CONFIDENCE)
    if sampled and agent.temperature == 0:
        return (
            f"agent.temperature: env.branching={env.branching} asks the agent again, and at 0 it says the same; "
            "set agent.temperature=1"
        )
    return ""


def confidence_is_known(env: EnvConfig, model: ModelConfig) -> str:
    """Log-probabilities come with tokens."""
    chat = isinstance(model, OpenAIModel) and model.mode is ApiMode.CHAT
    if env.branching is Branching.LOW_CONFIDENCE and chat:
        return (
            "env.branching: low_confidence needs the log-probabilities of tokens, which model.mode=chat does not bring"
        )
    return ""


def branches_are_played(env: EnvConfig, predictions: Path | None) -> str:
    """What others played has no branches."""
    if env.branching is not Branching.NONE and predictions is not None:
        return "env.branching: predictions are scored and not played; leave it away"
    return ""
