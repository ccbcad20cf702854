"""Tasks of τ²-bench (V. Barres et al., 2025, arXiv 2506.07982): who calls about what, and what has to come of it.

A task here is a conversation. Its gold is the benchmark's reference actions, the agent's in turns: where the reference
has the user do something, a turn ends with the agent asking for it, and each turn's gold holds the calls of those
before it too, so that they count whenever they are made. Reference calls that the benchmark's own records refuse are
left out. No answer in words is the right one: what counts is the environment's verdict.

`split_tasks.json` has `train` and `test`; a task that stands in neither belongs to `test`, so that nobody trains on it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import TypeAdapter, ValidationError

from agentbench.errors import DataError, PreflightError
from agentbench.types import Answer, AnswerType, CallTools, Exchange, Gold, Rule, Task, ToolCall, Turn

SUITE = "tau2"
GOES_ON = "(The user did what the agent asked for, and goes on.)"
"""Stands for what the user says in later turns, which the conversation decides."""
ALL_DONE = "Everything you asked for is taken care of. Is there anything else I can do for you?"
"""What a perfect agent says at the end where nothing else has to be told."""


class Basis(StrEnum):
    """What a task's outcome is made of."""

    DB = "DB"
    """The records are as the reference actions leave them."""
    ENV_ASSERTION = "ENV_ASSERTION"
    ACTION = "ACTION"
    """All reference actions were taken."""
    COMMUNICATE = "COMMUNICATE"
    """The agent has said what the user has to be told."""
    NL_ASSERTION = "NL_ASSERTION"
    """Statements about the conversation hold, in a model's opinion."""


@dataclass(frozen=True)
class Act:
    """A reference action."""

    name: str
    arguments: dict[str, Any]
    requestor: Literal["assistant", "user"] = "assistant"
    compare_args: tuple[str, ...] | None = None
    """Arguments that have to be the same for a call to be this action; `None`: all."""

    @property
    def call(self) -> ToolCall:
        """As a call."""
        return ToolCall(self.name, self.arguments)


@dataclass(frozen=True)
class Function:
    """A call that is part of a task's beginning."""

    func_name: str
    arguments: dict[str, Any]
    env_type: Literal["assistant", "user"] = "assistant"


@dataclass(frozen=True)
class Check(Function):
    """Something that has to hold, or not, at the end."""

    assert_value: bool = True


@dataclass(frozen=True)
class Criteria:
    """What the outcome is judged by."""

    actions: tuple[Act, ...] | None = None
    env_assertions: tuple[Check, ...] | None = None
    communicate_info: tuple[str, ...] | None = None
    nl_assertions: tuple[str, ...] | None = None
    reward_basis: tuple[Basis, ...] = (Basis.DB, Basis.COMMUNICATE)

    @property
    def claims(self) -> tuple[str, ...]:
        """Statements about the conversation that the outcome depends on."""
        return (self.nl_assertions or ()) if Basis.NL_ASSERTION in self.reward_basis else ()


@dataclass(frozen=True)
class Instructions:
    """What the user knows and wants."""

    reason_for_call: str
    task_instructions: str = ""
    known_info: str | None = None
    unknown_info: str | None = None


@dataclass(frozen=True)
class UserScenario:
    """Who calls."""

    instructions: Instructions | str
    persona: str | None = None

    @property
    def reason(self) -> str:
        """What the user calls about."""
        return self.instructions if isinstance(self.instructions, str) else self.instructions.reason_for_call

    @property
    def known(self) -> str:
        """What the user can say about themselves."""
        return "" if isinstance(self.instructions, str) else self.instructions.known_info or ""


@dataclass(frozen=True)
class Initialization:
    """Records to be laid over the databases."""

    agent_data: dict[str, Any] | None = None
    user_data: dict[str, Any] | None = None


@dataclass(frozen=True)
class MadeCall:
    """A call made before the episode begins."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Message:
    """Part of a conversation from before the episode begins."""

    role: Literal["user", "assistant", "tool"]
    content: str | None = None
    tool_calls: tuple[MadeCall, ...] | None = None


@dataclass(frozen=True)
class InitialState:
    """How a task begins."""

    initialization_data: Initialization | None = None
    initialization_actions: tuple[Function, ...] | None = None
    message_history: tuple[Message, ...] | None = None


@dataclass(frozen=True)
class Published:
    """One task as it is published; keys that nothing here depends on are left out."""

    id: str
    user_scenario: UserScenario
    evaluation_criteria: Criteria = field(default_factory=Criteria)
    initial_state: InitialState | None = None

    @property
    def acts(self) -> tuple[Act, ...]:
        """The reference actions."""
        return self.evaluation_criteria.actions or ()


_TASKS = TypeAdapter(tuple[Published, ...])
_SPLITS = TypeAdapter(dict[str, tuple[str, ...]])


class Suite(NamedTuple):
    """What a domain's folder holds beside its databases."""

    tasks: tuple[Published, ...]
    sets: Mapping[str, Collection[str]]
    """Ids by name of set: `train`, `test`, `base` …"""
    policy: str


def read_suite(folder: Path, policy_files: Sequence[str]) -> Suite:
    """The tasks, sets and policy of a domain.

    Raises:
        PreflightError: a file is missing.
        DataError: a file is not what it should be.
    """
    tasks = _validated(_TASKS, folder / "tasks.json")
    sets = _validated(_SPLITS, folder / "split_tasks.json")
    policy = "\n\n".join(_content(folder / name).decode("utf-8").strip() for name in policy_files)
    return Suite(tasks, {name: frozenset(ids) for name, ids in sets.items()}, policy)


def as_task(published: Published, suite: Suite, domain: str, refused: Collection[int]) -> Task:
    """The task as agents get it; `refused` are the numbers of reference actions that cannot be carried out."""
    split = "train" if published.id in suite.sets.get("train", ()) else "test"
    criteria = published.evaluation_criteria
    facts = {
        "split": split,
        "basis": "+".join(criteria.reward_basis),
        "reference_actions": len(published.acts),
        "refused_actions": len(refused),
        "statements": len(criteria.claims),
    }
    return Task(
        id=f"{domain}-{published.id}",
        suite=SUITE,
        domain=domain,
        turns=tuple(_turns(published, refused)),
        rules=(Rule(suite.policy),),
        data=facts,
        earlier=tuple(_earlier(published)),
    )


def _turns(published: Published, refused: Collection[int]) -> Iterator[Turn]:
    query, calls, asked = published.user_scenario.reason, list[CallTools](), list[str]()
    for number, act in enumerate(published.acts):
        if act.requestor == "user":
            asked.append(act.name)
            continue
        if asked:
            yield _turn(query, calls, f"Please do this now and tell me what you see: {', '.join(asked)}.")
            query, asked = GOES_ON, []
        if number not in refused:
            calls.append(CallTools((act.call,)))
    if asked:
        yield _turn(query, calls, f"Please do this now and tell me what you see: {', '.join(asked)}.")
        query = GOES_ON
    told = "; ".join(published.evaluation_criteria.communicate_info or ())
    yield _turn(query, calls, told or ALL_DONE)


def _turn(query: str, calls: Sequence[CallTools], says: str) -> Turn:
    return Turn(query, Gold(Answer(AnswerType.TEXT), tuple(calls), says=says))


def _earlier(published: Published) -> Iterator[Exchange]:
    """What was said before, each thing the user said with the agent's answer to it."""
    query = ""
    for message in (published.initial_state or InitialState()).message_history or ():
        if message.role == "user":
            query = message.content or ""
        elif message.role == "assistant" and message.content:
            yield Exchange(query, message.content)


def _validated(adapter: TypeAdapter[Any], path: Path) -> Any:
    try:
        return adapter.validate_json(_content(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(path, f"{place}: {first['msg']}") from error


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PreflightError(
            f"cannot read {path}: {error.strerror}", "set env.root to τ²-bench's folder of domains (data/tau2/domains)"
        ) from error
