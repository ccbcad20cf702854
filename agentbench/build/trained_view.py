"""Episodes as the agent that is trained on them saw them."""

from __future__ import annotations

import dataclasses

from agentbench.config.agent import AgentConfig, CodeForm, CoderAgent, PairAgent, PlannerAgent
from agentbench.policies.coder import coder_view
from agentbench.policies.defended import defended
from agentbench.policies.pair import noted
from agentbench.policies.plans import planner_view
from agentbench.tasks.injection import defence_of
from agentbench.types import Trajectory


def as_seen(trajectory: Trajectory, agent: AgentConfig) -> Trajectory:
    """The trajectory with the history that the agent's completions go on from; of most agents it is the episode's own.

    A planner's is the conversation of plans and results (see `policies.plans`), without branches: its rows teach to
    plan, whoever took the steps, and hold the tokens of a planner where one was asked. A pair's actor sees the notes of
    its critic behind the results (see `policies.pair`). Where a defence changed what an agent was shown, all see that.
    """
    history = defended(trajectory.history, defence_of(trajectory.evidence))
    if history is not trajectory.history:
        trajectory = dataclasses.replace(trajectory, history=history)
    match agent:
        case PlannerAgent(list_tools=list_tools):
            return dataclasses.replace(trajectory, history=planner_view(trajectory.history, list_tools))
        case CoderAgent(writes=form) if form is not CodeForm.CALLS:
            return dataclasses.replace(trajectory, history=coder_view(trajectory.history, form))
        case PairAgent():
            return dataclasses.replace(trajectory, history=noted(trajectory.history))
        case _:
            return trajectory


def said_by(agent: AgentConfig) -> str:
    """What a step is called whose text is no call and no answer."""
    match agent:
        case PlannerAgent():
            return "plan"
        case CoderAgent(writes=form) if form is not CodeForm.CALLS:
            return "code"
        case _:
            return "malformed"
