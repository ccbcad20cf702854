"""Tool-usage policies in words: four families, several wordings each, disjoint between splits.

Two families speak about every question, two only about questions of a topic group; a policy about another topic
than the task's does not bind.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from agentbench.config.tasks import Split
from agentbench.types import Rule, ToolKind
from agentbench.worlds.frames import frame_split

TOPICS = (
    "Movies", "Geography", "Chemistry", "Sports", "Food", "Music", "Health", "Finance", "Literature", "Transport",
    "Weather", "Law",
)  # fmt: skip

WORDINGS: dict[str, tuple[str, ...]] = {
    "only_retriever": (
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
    "never_retriever": (
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
    "topic_only_retriever": (
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
    "topic_never_retriever": (
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
    family: str
    template: str


def forbidding(kind: ToolKind, topic: str, split: Split, rng: Random) -> Policy:
    """A policy that binds on questions of the topic and forbids one kind of tool."""
    name = "only_retriever" if kind is ToolKind.API else "never_retriever"
    policy = _policy(rng.choice((name, f"topic_{name}")), split, topic, rng)
    return policy._replace(rule=Rule(policy.rule.text, (kind,)))


def elsewhere(topic: str, split: Split, rng: Random) -> Policy:
    """A policy about another topic: it forbids nothing here."""
    other = rng.choice([name for name in TOPICS if name != topic])
    return _policy(rng.choice(("topic_only_retriever", "topic_never_retriever")), split, other, rng)


def _policy(family: str, split: Split, topic: str, rng: Random) -> Policy:
    index = rng.choice([index for index in range(len(WORDINGS[family])) if frame_split(index) is split])
    return Policy(Rule(WORDINGS[family][index].format(topic=topic)), family, f"policy.{family}/{index}")
