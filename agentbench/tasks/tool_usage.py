"""Tool-usage policies in words: which of four families a text belongs to, and which kind of tool it forbids for a task.

A policy allows only retrievers or no retrievers at all, for every question or for questions of some topics. What is
no retriever counts as API here; the worlds that have policies know only these two kinds. A policy about other topics
than the task's does not bind.

The reader looks for the kinds of tool that a sentence names and for what restricts or negates them, so it follows
wordings it has never seen. It does not guess: preferences ("first", "if possible"), exceptions for a topic and
conditions on anything but the question are no family, and neither is a text of more than `LONGEST` characters.
Irony, other languages and policies that name single tools are not understood.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from agentbench.tasks.tool_wording import API, forbidden_kinds, named_kinds, points_back, segments
from agentbench.tasks.topics import TOPICS, topic_group
from agentbench.types import Rule, ToolKind, record

__all__ = ["TOPICS", "Family", "Reading", "family_of", "read_rule", "readings", "topic_group"]


LONGEST = 4000
"""Longest text that is read, in characters; some patterns take quadratic time."""


class Family(StrEnum):
    """The four families of tool-usage policies."""

    ONLY_RETRIEVER = "only_retriever"
    NEVER_RETRIEVER = "never_retriever"
    TOPIC_ONLY_RETRIEVER = "topic_only_retriever"
    TOPIC_NEVER_RETRIEVER = "topic_never_retriever"


@record
class Reading:
    """What one sentence of a policy says."""

    family: Family
    topics: tuple[str, ...] = ()
    """Groups, or topics of no group, that it speaks about; empty where it speaks about every question."""

    @property
    def forbids(self) -> ToolKind:
        """The kind of tool that must not be called where the policy binds."""
        only = self.family in (Family.ONLY_RETRIEVER, Family.TOPIC_ONLY_RETRIEVER)
        return ToolKind.API if only else ToolKind.RETRIEVER

    def binds(self, topic: str) -> bool:
        """Whether it speaks about questions of the topic, which may also be a database's name."""
        return not self.topics or topic_group(topic) in self.topics


def read_rule(text: str, topic: str) -> Rule:
    """The rule a text states for a task of the topic; it forbids nothing where the text is not understood.

    Nor does it where the text is about other topics. Sentences are read one by one, so contradictory ones forbid both
    kinds.
    """
    said = {reading.forbids for reading in readings(text) if reading.binds(topic)}
    return Rule(text, tuple(sorted(said)))


def family_of(text: str) -> Reading | None:
    """What the first sentence that states a policy says; `None` where no sentence was understood as one."""
    return next(iter(readings(text)), None)


def readings(text: str) -> tuple[Reading, ...]:
    """What the sentences of a text say, in order, each thing once."""
    return tuple(dict.fromkeys(_readings(text))) if len(text) <= LONGEST else ()


def _readings(text: str) -> Iterator[Reading]:
    kind, topics, open_topics = "", (), False
    for segment in segments(text):
        topics = segment.topics or (topics if open_topics or points_back(segment) else ())
        forbidden, named = forbidden_kinds(segment, kind), named_kinds(segment)
        kind = named[0] if named else kind
        open_topics = bool(segment.topics) and not forbidden
        if len(forbidden) == 1:
            yield Reading(_family(forbidden == {API}, bool(topics)), topics)


def _family(only: bool, topical: bool) -> Family:
    if topical:
        return Family.TOPIC_ONLY_RETRIEVER if only else Family.TOPIC_NEVER_RETRIEVER
    return Family.ONLY_RETRIEVER if only else Family.NEVER_RETRIEVER
