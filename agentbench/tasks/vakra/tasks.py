"""Dialogues as tasks: the last turn is asked, earlier ones are given with their answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from agentbench.config.env import Availability, Granularity, Scenario
from agentbench.config.tasks import Split
from agentbench.tasks.answers import answer_text
from agentbench.tasks.tool_usage import family_of, read_rule
from agentbench.tasks.vakra.answers import UNKNOWN, read_answer
from agentbench.tasks.vakra.reading import Dialogue, is_search
from agentbench.tasks.vakra.records import VakraRecord, VakraTurn
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Exchange,
    Gold,
    Rule,
    Task,
    ToolKind,
    Turn,
)

SUITE = "vakra"
_KINDS: dict[str, tuple[ToolKind, ...]] = {
    Availability.BOTH_API_RAG: (ToolKind.API, ToolKind.RETRIEVER),
    Availability.ONLY_API: (ToolKind.API,),
    Availability.ONLY_RAG: (ToolKind.RETRIEVER,),
    Availability.NEITHER_API_RAG: (),
}


def granularity(dialogue: Dialogue) -> Granularity:
    """At which tools a dialogue is asked: as its universe says in capability 1, REST endpoints in the others."""
    if dialogue.capability == 1 and dialogue.universe is not None:
        return dialogue.universe.granularity
    return Granularity.REST


def make_task(
    dialogue: Dialogue, actions: tuple[CallTools, ...], documents: tuple[str, ...], *, topic: str, id: str
) -> Task:
    """The task of a dialogue whose gold calls were already turned into ours.

    A dialogue without published answer gets `UNKNOWN`; one that older records mark as lacking the tool it needs, and
    that has no answer, is unanswerable.
    """
    record, last = dialogue.record, dialogue.record.turns[-1]
    available = availability(dialogue)
    gold = Gold(_answer(record, last), actions, documents)
    earlier = tuple(Exchange(turn.query, _said(turn.answer)) for turn in record.turns[:-1])
    data = {
        "capability": dialogue.capability,
        "universe": dialogue.universe.id if dialogue.universe and dialogue.capability == 1 else "",
        "uuid": record.uuid,
        "turn_id": last.turn_id,
        "gold_answer": last.answer,
        "gold_responses": list(last.responses),
        "scenario": scenario(dialogue),
        "tool_availability": available,
        "granularity": granularity(dialogue).value,
        "split": Split.TEST.value,
        "policy": policy(_instructions(record)),
    }
    return Task(
        id,
        SUITE,
        record.domain,
        (Turn(last.query, gold),),
        rules=_rules(record, topic),
        tools_allowed=_KINDS[available],
        earlier=earlier,
        data=data,
    )


def availability(dialogue: Dialogue) -> str:
    """Which kinds of tool exist: as older records say, else API tools only, with documents in capability 4."""
    given = str(dialogue.record.scenarios.get("tool_availability") or "").lower()
    if given in _KINDS:
        return Availability(given).value
    return (Availability.BOTH_API_RAG if dialogue.capability == 4 else Availability.ONLY_API).value


def scenario(dialogue: Dialogue) -> str:
    """Which sources the last turn needs, from its hops or else its gold calls; empty where neither is known."""
    last = dialogue.record.turns[-1]
    hops = re.findall(r"API|RAG", last.hops.rsplit("(", 1)[-1])
    hops = hops or ["RAG" if is_search(call) else "API" for call in last.calls]
    if not hops:
        return Scenario.API.value if dialogue.capability < 4 else ""
    if len(set(hops)) == 1:
        return (Scenario.API if hops[0] == "API" else Scenario.RAG).value
    return (Scenario.API_BEFORE_RAG if hops[0] == "API" else Scenario.RAG_BEFORE_API).value


def policy(instructions: str) -> str:
    """The family of a tool-usage policy; empty where there is none or it is of no known family."""
    reading = family_of(instructions) if instructions else None
    return reading.family.value if reading else ""


def _instructions(record: VakraRecord) -> str:
    """The policy in words; older records have it among their scenarios, some as the word NONE."""
    older = str(record.scenarios.get("tool_use_policy") or "").strip()
    return record.instructions or ("" if older.upper() == "NONE" else older)


def _rules(record: VakraRecord, topic: str) -> tuple[Rule, ...]:
    text = _instructions(record)
    if not text:
        return ()
    rule = read_rule(text, topic)
    elsewhere = "OUT" in str(record.scenarios.get("policy_domain") or "").upper()
    return (Rule(rule.text) if elsewhere else rule,)


def _answer(record: VakraRecord, last: VakraTurn) -> Answer:
    answer = read_answer(last.answer)
    if answer is None and record.scenarios.get("missing_api"):
        return Answer(AnswerType.UNANSWERABLE)
    return answer or UNKNOWN


def _said(given: Any) -> str:
    answer = read_answer(given)
    return "" if answer is None else answer_text(answer)


def identifiers(dialogues: Sequence[Dialogue]) -> list[str]:
    """A different id for each dialogue of a domain: domain, capability and uuid, numbered where that is not enough."""
    plain = [f"{item.record.domain}-{item.capability}-{item.record.uuid}" for item in dialogues]
    return [
        name if plain.count(name) == 1 else f"{name}-{len(item.record.turns)}-{plain[:index].count(name) + 1}"
        for index, (name, item) in enumerate(zip(plain, dialogues, strict=True))
    ]
