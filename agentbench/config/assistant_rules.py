"""Rules for assistants and planners; each gives the broken one as a line, or an empty string."""

from __future__ import annotations

from agentbench.config.agent import AgentConfig, PairAgent, PlannerAgent
from agentbench.config.audit import TokensConfig
from agentbench.config.env import EnvConfig
from agentbench.config.env_assistant import AssistantEnv, AssistantTool
from agentbench.config.llm_actors import JudgeConfig, NoJudge
from agentbench.config.scorer import RatingScorer, ScorerConfig
from agentbench.config.stage import StageConfig
from agentbench.config.stage_rl import OnlineStage
from agentbench.config.tasks import TasksConfig

_SIMULATE = "or add it to env.simulated"


def tools_have_their_means(env: EnvConfig) -> str:
    """Every tool has what it works with."""
    if not isinstance(env, AssistantEnv):
        return ""
    strange = [tool for tool in env.simulated if tool not in env.tools]
    if strange:
        return f"env.simulated: {strange[0]} is not among env.tools"
    if env.simulated and env.simulator is None:
        return "env.simulator: required with env.simulated: env.simulator.endpoint.base_url=… .name=…"
    real = [tool for tool in env.tools if tool not in env.simulated]
    if AssistantTool.SEARCH_ENCYCLOPEDIA in real and env.encyclopedia is None:
        return f"env.encyclopedia.folder: required with search_encyclopedia: made by prepare source=dump; {_SIMULATE}"
    if AssistantTool.SEARCH_WEB in real and env.web is None:
        return f"env.web.url: required with search_web: address of a SearXNG server; {_SIMULATE}"
    return ""


def faults_are_a_share(env: EnvConfig) -> str:
    """A call has one fate."""
    if isinstance(env, AssistantEnv) and env.simulator is not None:
        both = env.simulator.no_answer + env.simulator.partial_answer
        if both > 1:
            return f"env.simulator: no_answer and partial_answer are {both:g} together; they share one draw, at most 1"
    return ""


def requests_are_given(env: EnvConfig, tasks: TasksConfig) -> str:
    """An assistant has no tasks of its own."""
    if isinstance(env, AssistantEnv) and tasks.file is None:
        return "tasks.file: required with env=assistant: requests, one a line (prepare source=assistant makes some)"
    return ""


def ratings_have_a_judge(scorer: ScorerConfig, judge: JudgeConfig) -> str:
    """Ratings are a judge's."""
    if isinstance(scorer, RatingScorer) and isinstance(judge, NoJudge):
        return "judge: scorer=rating is a judge's opinion; judge=llm judge.endpoint.base_url=… judge.endpoint.name=…"
    return ""


def training_has_no_judge(scorer: ScorerConfig, _stage: StageConfig) -> str:
    """Nobody rates what is played during training."""
    if isinstance(scorer, RatingScorer):
        return "scorer: rating needs a judge, whom training does not ask; train on rows and rate with agentbench.eval"
    return ""


def self_check_has_no_judge(scorer: ScorerConfig, _tokens: TokensConfig) -> str:
    """Nobody rates the agents of a self-check."""
    if isinstance(scorer, RatingScorer):
        return "scorer: rating needs a judge, whom the self-check does not ask; choose another scorer"
    return ""


def online_agent_speaks_once(stage: StageConfig, agent: AgentConfig) -> str:
    """Stages that play episodes train the one completion of a step."""
    if isinstance(stage, OnlineStage) and isinstance(agent, PlannerAgent | PairAgent):
        return f"agent: stage={stage.kind} trains agents of one completion per step; choose agent=chat, or stage=sft"
    return ""


def direct_tools_are_asked_nobody(agent: AgentConfig) -> str:
    """A tool's arguments come from one place."""
    if isinstance(agent, PlannerAgent) and (both := sorted(set(agent.direct) & agent.specialists.keys())):
        return f"agent.direct: {both[0]} has a specialist, who would never be asked"
    return ""
