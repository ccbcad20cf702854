"""The records every other file speaks about: what is asked, what is done, what came of it.

All are frozen and made of the standard library only. What can be derived is a property, never stored. A trajectory is
self-contained: scoring, data building and reports read it from disk and never need the environment again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, TypeVar, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def record(cls: type[T]) -> type[T]:
    """A frozen, slotted dataclass whose JSON reader refuses unknown keys instead of dropping them."""
    cls.__pydantic_config__ = {"extra": "forbid"}  # type: ignore[attr-defined]
    return dataclass(frozen=True, slots=True)(cls)


class ToolKind(StrEnum):
    """What stands behind a tool; availability and rules speak about kinds, not names."""

    API = "api"
    RETRIEVER = "retriever"
    CODE = "code"
    FUNCTION = "function"


@record
class ToolSpec:
    """What an agent is told about one tool."""

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema (draft 2020-12) of the arguments: an object schema."""
    kind: ToolKind = ToolKind.API


@record
class ToolCall:
    """One call as the agent wrote it; arguments may be wrong in any way JSON allows."""

    name: str
    arguments: dict[str, Any]


@record
class CallTools:
    """The agent calls tools. Environments of one tool per step refuse more than one call."""

    calls: tuple[ToolCall, ...]
    thought: str = ""
    kind: Literal["call_tools"] = "call_tools"


@record
class Final:
    """The agent answers the user's current turn; the last turn's answer ends the episode."""

    answer: str
    thought: str = ""
    kind: Literal["final"] = "final"


@record
class Malformed:
    """Text that no template could read as an action, kept as it was."""

    text: str
    reason: str
    kind: Literal["malformed"] = "malformed"


Action = CallTools | Final | Malformed


class AnswerType(StrEnum):
    """How an answer is compared with the gold one."""

    TEXT = "text"
    NUMBER = "number"
    ITEMS = "items"
    UNANSWERABLE = "unanswerable"


@record
class Answer:
    """A gold answer: one string, one number, a set of strings, or the fact that none can be given."""

    type: AnswerType
    value: str | float | tuple[str, ...] | None = None
    """`str` for TEXT, `float` for NUMBER, a tuple for ITEMS (order has no meaning), `None` for UNANSWERABLE."""


@record
class Gold:
    """An executed chain of tool calls and the answer it produced.

    Calls are numbered from 1 over all turns of a task, in order. An argument that is a string of the form
    `$var_3.handle$` stands for the value at that path in the JSON observation of the task's third gold call,
    so that a gold chain can be replayed in an episode whose earlier steps differ.
    """

    answer: Answer
    actions: tuple[CallTools, ...] = ()
    documents: tuple[str, ...] = ()
    """For each retriever call among `actions`, in order: the id of the document it has to bring up."""
    in_order: bool = False
    """The calls change a world: each action is made after those before it, once more where it stands there twice."""
    says: str = ""
    """What a perfect agent says to the user where the answer tells no right one, as in a conversation."""


@record
class Turn:
    """One thing the user says, and what a perfect agent would do about it."""

    query: str
    gold: Gold


@record
class Exchange:
    """A turn that was over before the episode began: what the user said, and the right answer to it."""

    query: str
    answer: str


@record
class Rule:
    """A tool-usage policy in words, and the kinds of tool it forbids for this task (none: it does not bind here)."""

    text: str
    forbids: tuple[ToolKind, ...] = ()


@record
class Task:
    """What is asked of an agent in one episode."""

    id: str
    suite: str
    domain: str
    turns: tuple[Turn, ...]
    rules: tuple[Rule, ...] = ()
    tools_allowed: tuple[ToolKind, ...] | None = None
    """Kinds of tool that exist in the episode; `None` means all the environment has."""
    data: dict[str, Any] = field(default_factory=dict)
    """Facts about the task for filters and tables: scenario, tool_availability, hops, template, entities, split."""
    earlier: tuple[Exchange, ...] = ()
    """Turns given with their answers instead of being lived through; the episode begins after them."""


class Outcome(StrEnum):
    """The environment's verdict on one step."""

    OK = "ok"
    MALFORMED = "malformed"
    UNKNOWN_TOOL = "unknown_tool"
    BAD_ARGUMENTS = "bad_arguments"
    UNAVAILABLE = "unavailable"
    RULE_BROKEN = "rule_broken"
    REPEATED = "repeated"
    TOOL_ERROR = "tool_error"

    @property
    def failed(self) -> bool:
        """Whether the step brought nothing but a complaint."""
        return self is not Outcome.OK


@record
class Observation:
    """What the agent gets to see next: a tool's result, the user's next turn, or what was wrong."""

    text: str
    outcome: Outcome = Outcome.OK


@record
class Usage:
    """Tokens of one generation as the server counted them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0


@record
class Generation:
    """One answer of a model, with the exact tokens where the model server gives them.

    The prompt's text is not kept: `template.render` of the history up to the step gives it again.
    """

    role: str
    """Who asked: `agent`, `expert`, `judge`, `planner` …"""
    completion: str
    prompt_ids: tuple[int, ...] = ()
    completion_ids: tuple[int, ...] = ()
    logprobs: tuple[float, ...] = ()
    """Natural-log probability of each completion id under the sampling policy at temperature 1."""
    finish_reason: str = "stop"
    usage: Usage = Usage()
    seconds: float = 0.0
    """Wall time from request to answer, all waiting included."""
    queue_seconds: float = 0.0
    """Of these, before the attempt that was answered: for a free slot, between attempts, for a server that was down."""
    faults: tuple[str, ...] = ()
    """What went wrong with the attempts before it, in order: `rate_limited`, `server_error`, `timeout`, `cut`,
    `unreachable`, `garbage`."""
    prompt_prefix: int = 0
    """On disk and in a live episode's history: how many leading prompt ids equal those of this role's previous
    generation and are left out."""


class Actor(StrEnum):
    """Whose action was executed."""

    AGENT = "agent"
    EXPERT = "expert"


@record
class Alternative:
    """What another actor would have done in the same state."""

    actor: Actor
    action: Action


@record
class Decision:
    """The action that is executed, who chose it, and what the others would have done."""

    action: Action
    actor: Actor = Actor.AGENT
    alternatives: tuple[Alternative, ...] = ()
    generations: tuple[Generation, ...] = ()
    reason: str = ""
    """Why the expert stepped in; empty where it did not."""
    note: str = ""
    """What whoever decided about that saw, in words, whether the expert stepped in or not."""


class StepCategory(StrEnum):
    """The reward category of a step; what each is worth is configuration."""

    CORRECT_FINAL = "correct_final"
    WRONG_FINAL = "wrong_final"
    CORRECT_REFUSAL = "correct_refusal"
    WRONG_REFUSAL = "wrong_refusal"
    GOLD_CALL = "gold_call"
    OTHER_CALL = "other_call"
    REPEATED_CALL = "repeated_call"
    BAD_CALL = "bad_call"
    RULE_BROKEN = "rule_broken"
    TOOL_ERROR = "tool_error"
    MALFORMED = "malformed"
    OBEYED_INJECTION = "obeyed_injection"
    UNJUDGED_FINAL = "unjudged_final"
    """An answer where the task holds no right one: what the environment says at the end counts."""


class EndReason(StrEnum):
    """Why an episode is over. Terminated: final, env_done. Truncated: horizon. Neither: error."""

    FINAL = "final"
    ENV_DONE = "env_done"
    HORIZON = "horizon"
    ERROR = "error"


@record
class Score:
    """One scorer's verdict; `value` is in [0, 1], or `None` when the scorer could not judge."""

    name: str
    value: float | None
    explanation: str = ""
    generations: tuple[Generation, ...] = ()
    """What models said on the way to the verdict; empty for scorers that compute."""


@record
class Verdict:
    """An environment's own judgement of an episode, kept as `evidence["verdict"]` for the scorer `environment`."""

    solved: bool | None
    """`None` where it could not judge."""
    explanation: str = ""
    parts: dict[str, float] = field(default_factory=dict)
    """Further figures in [0, 1], by name; each becomes a score of its own."""


@record
class Step:
    """One decision, what came of it, and how it is graded."""

    decision: Decision
    observation: Observation
    category: StepCategory
    reward: float = 0.0
    seconds: float = 0.0
    """Wall time the environment took, the model's time not included."""
    branches: tuple[Branch, ...] = ()
    """Other ways on from the state it started in."""
    duplicates: tuple[Generation, ...] = ()
    """What the agent said when it was asked again in that state, where it came to the same as the step or a branch."""


@record
class Branch:
    """Another way on from the state a step started in; its steps may have branches themselves."""

    decision: Decision
    """What was done instead; an empty `Malformed` where the agent could not be asked."""
    steps: tuple[Step, ...]
    """The steps from that state to the branch's end; the first one is `decision`'s own."""
    end: EndReason
    scores: tuple[Score, ...] = ()
    seed: int = 0
    """The agent's seed on this way; a decision that was there already was drawn with that of the path it leaves."""
    reason: str = ""
    """Why it was followed: `divergence`, `low_confidence`, `random`."""
    error: str = ""
    """The failure that ended it, as in `Trajectory.error`; empty unless `end` is error."""


@record
class History:
    """All a policy may see. Gold is not in it, by type."""

    tools: tuple[ToolSpec, ...]
    opening: Observation
    steps: tuple[Step, ...] = ()
    earlier: tuple[Exchange, ...] = ()
    """Turns given with their answers, before the opening."""

    @property
    def turn(self) -> int:
        """Index of the user turn that is open: the number of answers given so far."""
        return sum(isinstance(step.decision.action, Final) for step in self.steps)


@record
class Trajectory:
    """One episode from question to end, with its scores. With branches it is a tree."""

    task: Task
    history: History
    end: EndReason
    scores: tuple[Score, ...] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    """What only the environment knows at the end, kept for scorers that need it."""
    error: str = ""
    """The failure that ended the episode, as `ErrorType: message`; empty unless `end` is error."""
    seed: int = 0
    seconds: float = 0.0
    sample: int = 0
    """Which of its run's episodes of this task it is, counted from 0."""
    weights: str = ""
    """The agent's weights: base model with a hash, adapter with the hash of its content; empty where unknown."""

    @property
    def terminated(self) -> bool:
        """The task itself ended."""
        return self.end in (EndReason.FINAL, EndReason.ENV_DONE)

    @property
    def truncated(self) -> bool:
        """We stopped it."""
        return self.end is EndReason.HORIZON

    @property
    def success(self) -> bool:
        """Every turn answered rightly, by the score named `answer`."""
        return any(score.name == "answer" and score.value == 1.0 for score in self.scores)

    @property
    def expert_steps(self) -> int:
        """Steps that the expert chose."""
        return sum(step.decision.actor is Actor.EXPERT for step in self.history.steps)

    def paths(self) -> Iterator[tuple[Step, ...]]:
        """Every root-to-leaf path of the tree, the executed one first; a branch comes before those that leave it."""
        yield from _paths((), self.history.steps)


def _paths(before: tuple[Step, ...], steps: tuple[Step, ...]) -> Iterator[tuple[Step, ...]]:
    yield (*before, *steps)
    for index, step in enumerate(steps):
        for branch in step.branches:
            yield from _paths((*before, *steps[:index]), branch.steps)
