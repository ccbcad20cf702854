"""Document search behind one protocol, and the `retrieve_documents` tool over it."""

from __future__ import annotations

from typing import Protocol

from agentbench.types import record


@record
class Document:
    """One searchable text."""

    id: str
    title: str
    text: str


@record
class Collection:
    """A named set of documents; the description is what the agent is told about it."""

    name: str
    description: str


@record
class Hit:
    """One search result, best first; `score` is the engine's own and only comparable within one query."""

    document: Document
    score: float


class Retriever(Protocol):
    """Search over one collection."""

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """At most `top_k` documents, best first; the same query gives the same order.

        Raises:
            RetrieverError: the engine cannot answer. That is no message for the agent: the episode ends with it.
        """
        ...
