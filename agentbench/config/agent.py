"""The agent under study."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.llm_actors import Endpoint
from agentbench.config.schema import schema


@schema
class SampledAgent:
    """How the agent's completions are drawn, whatever it makes of them."""

    temperature: Annotated[float, Field(ge=0, le=5)] = 0.0
    """0 is greedy."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Longest completion, in tokens."""
    top_k: Annotated[int, Field(ge=1)] | None = None
    """Draw from this many likeliest tokens. This and the next five are for servers (model=openai, serve=vllm)."""
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """Draw from tokens with at least this share of the likeliest one's probability."""
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    """Above 1: tokens of prompt and completion become less likely to be said again."""
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    stop: tuple[str, ...] = ()
    """Texts that end a completion, beside the template's own."""
    system_prompt: Path | None = None
    """Text file. Off: the one that ships beside the policy."""

    @property
    def server_only(self) -> tuple[str, ...]:
        """Keys that are set and that engines in this process do not know."""
        given = {
            "top_k": self.top_k,
            "min_p": self.min_p,
            "repetition_penalty": self.repetition_penalty,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "stop": self.stop or None,
        }
        return tuple(name for name, value in given.items() if value is not None)


class Instructions(StrEnum):
    """What a chat agent is told to do, in words that ship beside the policy."""

    STEPS = "steps"
    """Look things up with one tool after the other, then answer."""
    CALLS = "calls"
    """Say all calls that a request needs at once."""
    SERVICE = "service"
    """Serve a customer in conversation, by a policy."""


@schema
class ChatAgent(SampledAgent):
    """One completion per step, read as one action."""

    kind: Literal["chat"] = "chat"
    prompt: Instructions = Instructions.STEPS
    """Which instructions ship for it; `agent.system_prompt` names others."""


@schema
class SameModel:
    """The agent's own model, by instructions of its own."""

    kind: Literal["same"] = "same"


@schema
class EndpointModel:
    """Another model."""

    kind: Literal["endpoint"] = "endpoint"
    endpoint: Endpoint


SecondModel = Annotated[SameModel | EndpointModel, Field(discriminator="kind")]
"""Who speaks in an agent's second role: who writes arguments for a planner, or who looks for a decider."""


@schema
class PlannerAgent(SampledAgent):
    """Two completions per step: the planner names the next task and its tool, a caller turns that into arguments."""

    kind: Literal["planner"] = "planner"
    list_tools: bool = True
    """Whether the planner is told the tools with their descriptions. Off, as for one that has learnt them, it still can
    name no other: the names stand in the schema of its plans."""
    guided: bool = True
    """Hold plans and arguments to their JSON Schemas while they are drawn. In this process by llguidance, on a server
    by `response_format`; off for servers that cannot."""
    task_chars: Annotated[int, Field(ge=20, le=10_000)] = 300
    """Longest task of a plan, in characters."""
    argument_chars: Annotated[int, Field(ge=20, le=100_000)] = 2000
    """Longest text among arguments, in characters, where the tool's own schema names no limit."""
    caller: SecondModel = SameModel()
    specialists: dict[str, Endpoint] = field(default_factory=dict)
    """Models that write the arguments of one tool each, by name of the tool; the caller writes all others."""
    direct: tuple[str, ...] = ()
    """Tools with one required text, which is the task itself: nobody is asked for their arguments."""
    caller_prompt: Path | None = None
    """Text file with the caller's instructions. Off: those that ship beside the policy."""


class CodeForm(StrEnum):
    """How an agent that acts by code writes it."""

    CALLS = "calls"
    """As a call of the tool `python`, in the template's own way."""
    JSON = "json"
    """As text: `{"thought": …, "action": code}`."""
    MARKDOWN = "markdown"
    """As text: words, then a code block."""


@schema
class CoderAgent(SampledAgent):
    """One completion per step, with instructions for getting things done in Python."""

    kind: Literal["coder"] = "coder"
    writes: CodeForm = CodeForm.CALLS
    """The form of its steps, in episodes and in the rows that are made of them."""


@schema
class PairAgent(SampledAgent):
    """Two completions per step: perception, a critic that says in words what the latest result shows and what is still
    open, then decision, a coder who acts and sees all that was said."""

    kind: Literal["pair"] = "pair"
    perceiver: SecondModel = SameModel()
    perceiver_prompt: Path | None = None
    """Text file with the critic's instructions. Off: those that ship beside the policy."""
    perceiver_tokens: Annotated[int, Field(ge=1)] = 200
    """Longest note, in tokens, of the agent's own model; another one has its own `max_tokens`."""


AgentConfig = Annotated[ChatAgent | CoderAgent | PairAgent | PlannerAgent, Field(discriminator="kind")]
