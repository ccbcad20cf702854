"""Drafts as tasks with compiled gold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from agentbench.config.env import Granularity
from agentbench.config.tasks import Split
from agentbench.types import Answer, AnswerType, CallTools, Gold, Task, ToolCall, Turn
from agentbench.worlds.compiling import Compiler, GoldCall, documents
from agentbench.worlds.domain import Domain, Kind, Value
from agentbench.worlds.drafts import Draft
from agentbench.worlds.grid import TOOLS
from agentbench.worlds.hops import ApiHop, Drop, Hop

MOST_WORDS = 30
"""Longest question, in words."""
MOST_STEPS = 11
"""Longest gold episode, answers counted: below the environment's default horizon."""
MOST_CHARACTERS = 240
"""Longest answer, in characters."""

UNANSWERABLE = Answer(AnswerType.UNANSWERABLE)


def task(domain: Domain, draft: Draft, split: Split, granularity: Granularity) -> Task:
    """The draft as a task without id.

    Raises:
        Drop: a question or answer is too long, or a turn needs no new call.
    """
    compiler = Compiler(domain.name, granularity)
    turns: list[Turn] = []
    done = 0
    for turn in draft.turns:
        before = len(compiler.calls)
        gold = Gold(UNANSWERABLE)
        if turn.answerable:
            for index in range(done, turn.end):
                compiler.add(draft.hops[: index + 1])
            gold = _gold(draft.hops[turn.end - 1], compiler.calls[before:])
        done = turn.end
        if len(turn.query.split()) > MOST_WORDS:
            raise Drop("question too long")
        turns.append(Turn(turn.query, gold))
    if len(compiler.calls) + len(turns) > MOST_STEPS:
        raise Drop("too many steps")
    rules = (draft.policy.rule,) if draft.policy else ()
    allowed = TOOLS[draft.cell.availability]
    data = _data(draft, split, granularity)
    return Task("", "m3", domain.name, tuple(turns), rules=rules, tools_allowed=allowed, data=data)


def _gold(hop: Hop, calls: Sequence[GoldCall]) -> Gold:
    if not calls:
        raise Drop("a turn without a new call")
    actions = tuple(CallTools((ToolCall(call.name, call.arguments),), call.thought) for call in calls)
    return Gold(answer_of(hop), actions, documents(calls))


def answer_of(hop: Hop) -> Answer:
    """A hop's values as an answer.

    Raises:
        Drop: the answer is empty, too long or not exact in JSON, or an item holds a semicolon, which separates items.
    """
    if len("; ".join(str(value) for value in hop.values)) > MOST_CHARACTERS:
        raise Drop("answer too long")
    if _is_list(hop):
        if any(";" in str(value) for value in hop.values):
            raise Drop("a semicolon in an item")
        return Answer(AnswerType.ITEMS, tuple(str(value) for value in hop.values))
    return _single(hop.values[0])


def _is_list(hop: Hop) -> bool:
    return len(hop.values) > 1 or (isinstance(hop, ApiHop) and hop.query.kind is Kind.LIST)


def _single(value: Value) -> Answer:
    if isinstance(value, str):
        if not any(char.isalnum() for char in value):
            raise Drop("an answer without a letter or digit")
        return Answer(AnswerType.TEXT, value)
    if not math.isfinite(value) or float(value) != value:
        raise Drop("a number that JSON cannot carry exactly")
    return Answer(AnswerType.NUMBER, float(value))


def entities(hop: Hop) -> list[tuple[str, str]]:
    """What a hop mentions that belongs to one split: columns and values; of categories only their combination."""
    own = [(item.column, str(item.value)) for item in hop.inputs if not item.exempt]
    if own:
        return own
    return [(" + ".join(item.column for item in hop.inputs), " + ".join(str(item.value) for item in hop.inputs))]


def _data(draft: Draft, split: Split, granularity: Granularity) -> dict[str, Any]:
    mentioned = [entity for hop in draft.hops for entity in entities(hop)]
    return {
        "scenario": draft.cell.scenario.value,
        "tool_availability": draft.cell.availability.value,
        "hops": len(draft.hops),
        "templates": list(dict.fromkeys(draft.templates)),
        "entities": [f"{column}:{value}" for column, value in dict.fromkeys((*mentioned, *draft.extra))],
        "split": split.value,
        "granularity": granularity.value,
        "policy": draft.policy.family.value if draft.policy else "",
        "policy_binds": bool(draft.policy and draft.policy.rule.forbids),
    }
