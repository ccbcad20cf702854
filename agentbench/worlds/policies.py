"""Tool-usage policies in words: four families, several wordings each, disjoint between splits.

Two families speak about every question, two only about questions of a topic group; a policy about another topic
than the task's does not bind.
"""

from __future__ import annotations

from enum import StrEnum
from random import Random
from typing import NamedTuple

from agentbench.config.tasks import Split
from agentbench.tasks.tool_usage import TOPICS as GROUPS
from agentbench.tasks.tool_usage import Family, topic_group
from agentbench.types import Rule, ToolKind
from agentbench.worlds.frames import frame_split


class PolicyKind(StrEnum):
    """Which policy a task has: none, one of a family that binds, or one about another topic."""

    NONE = "none"
    ONLY_RETRIEVER = "only_retriever"
    NEVER_RETRIEVER = "never_retriever"
    TOPIC_ONLY_RETRIEVER = "topic_only_retriever"
    TOPIC_NEVER_RETRIEVER = "topic_never_retriever"
    ELSEWHERE = "elsewhere"


FORBIDDEN = {
    PolicyKind.ONLY_RETRIEVER: ToolKind.API,
    PolicyKind.NEVER_RETRIEVER: ToolKind.RETRIEVER,
    PolicyKind.TOPIC_ONLY_RETRIEVER: ToolKind.API,
    PolicyKind.TOPIC_NEVER_RETRIEVER: ToolKind.RETRIEVER,
}
"""The kind of tool that a policy forbids; the others forbid none."""

TOPICS = (*(group.partition("/")[0] for group in GROUPS), "Chemistry")
"""Topics that policies about other topics speak of, by the word that worlds use: `Movies` for `Movies/TV`.

The embedded worlds' own are among them, so a topic's name does not tell whether a policy binds.
"""

WORDINGS: dict[Family, tuple[str, ...]] = {
    Family.ONLY_RETRIEVER: (
        "Use document search only.",
        "Answer from documents alone, never from the API.",
        "Only document search is allowed.",
        "You must not call the API.",
        "Do not use the API; search documents instead.",
        "The API is off limits, use document search.",
        "Never call the API, only search documents.",
        "Never use the API.",
        "You must use document search only.",
        "Only search documents; the API is not allowed.",
    ),
    Family.NEVER_RETRIEVER: (
        "Use the API only.",
        "Answer from the API alone, never from documents.",
        "Only the API is allowed.",
        "You must not search documents.",
        "Do not use document search; call the API instead.",
        "Document search is off limits, use the API.",
        "Never search documents, only call the API.",
        "Never use document search.",
        "You must use the API only.",
        "Only call the API; document search is not allowed.",
    ),
    Family.TOPIC_ONLY_RETRIEVER: (
        "For questions about {topic}, use document search only.",
        "Answer {topic} questions from documents alone, never from the API.",
        "For {topic}, only document search is allowed.",
        "You must not call the API for questions about {topic}.",
        "Do not use the API on {topic} questions; search documents instead.",
        "The API is off limits for {topic}, use document search.",
        "Never call the API about {topic}, only search documents.",
        "Never use the API for questions about {topic}.",
        "You must use document search only for {topic} questions.",
        "Only search documents about {topic}; the API is not allowed.",
    ),
    Family.TOPIC_NEVER_RETRIEVER: (
        "For questions about {topic}, use the API only.",
        "Answer {topic} questions from the API alone, never from documents.",
        "For {topic}, only the API is allowed.",
        "You must not search documents for questions about {topic}.",
        "Do not use document search on {topic} questions; call the API instead.",
        "Document search is off limits for {topic}, use the API.",
        "Never search documents about {topic}, only call the API.",
        "Never use document search for questions about {topic}.",
        "You must use the API only for {topic} questions.",
        "Only call the API about {topic}; document search is not allowed.",
    ),
}


class Policy(NamedTuple):
    """A rule, its family, and the wording it used."""

    rule: Rule
    family: Family
    template: str


def policy(kind: PolicyKind, topic: str, split: Split, rng: Random) -> Policy | None:
    """A policy of the kind for questions of the topic, in words of the split."""
    match kind:
        case PolicyKind.NONE:
            return None
        case PolicyKind.ELSEWHERE:
            family = rng.choice((Family.TOPIC_ONLY_RETRIEVER, Family.TOPIC_NEVER_RETRIEVER))
            return _worded(family, _other(topic, rng), split, rng)
        case _:
            worded = _worded(Family(kind.value), topic, split, rng)
            return worded._replace(rule=Rule(worded.rule.text, (FORBIDDEN[kind],)))


def _other(topic: str, rng: Random) -> str:
    """A topic of another group."""
    return rng.choice([name for name in TOPICS if topic_group(name) != topic_group(topic)])


def _worded(family: Family, topic: str, split: Split, rng: Random) -> Policy:
    index = rng.choice([index for index in range(len(WORDINGS[family])) if frame_split(index) is split])
    return Policy(Rule(WORDINGS[family][index].format(topic=topic)), family, f"policy.{family.value}/{index}")
