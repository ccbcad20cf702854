"""`retrieve_documents(collection, query)`: one tool over all the document collections of an episode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document, Retriever
from agentbench.types import Observation, ToolKind, ToolSpec

MAX_TOP_K = 100
"""Most documents an agent may ask for in one call."""


def retrieve_documents_tool(
    retrievers: Mapping[str, Retriever], collections: Sequence[Collection], top_k: int, expose_top_k: bool = False
) -> Tool:
    """The tool for these collections, at least one; it keeps nothing between calls, so episodes may share it.

    `retrievers` has one for each collection, by its name. A call brings at most `top_k` documents, shown whole; with
    `expose_top_k` the agent may give another number, as the argument `top_k`.
    """
    chosen = {collection.name: retrievers[collection.name] for collection in collections}
    return RetrieveDocuments(_spec(collections, top_k if expose_top_k else None), chosen, top_k)


class RetrieveDocuments:
    """Searches one collection: `{"results": [{"id": "tt01", "text": "…"}]}`, best first, empty where nothing fits.

    A document's title stands beside its text only where the text does not begin with it.
    """

    __slots__ = ("_retrievers", "_top_k", "spec")

    def __init__(self, spec: ToolSpec, retrievers: Mapping[str, Retriever], top_k: int) -> None:
        self.spec = spec
        self._retrievers = retrievers
        self._top_k = top_k

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The best documents for a query.

        Raises:
            ToolError: there is no such collection.
            RetrieverError: the search engine is gone or its index damaged; ends the episode with an error.
        """
        name = arguments["collection"]
        if name not in self._retrievers:
            raise ToolError(f"there is no collection {name!r}. There is: {', '.join(self._retrievers)}")
        hits = await self._retrievers[name].search(arguments["query"], int(arguments.get("top_k", self._top_k)))
        return Observation(orjson.dumps({"results": [_shown(hit.document) for hit in hits]}).decode())


def _shown(document: Document) -> dict[str, str]:
    if not document.title or document.text.startswith(document.title):
        return {"id": document.id, "text": document.text}
    return {"id": document.id, "title": document.title, "text": document.text}


def _spec(collections: Sequence[Collection], default_top_k: int | None) -> ToolSpec:
    """Without a default for it the argument `top_k` does not exist."""
    listed = "\n".join(f"- {collection.name}: {collection.description}" for collection in collections)
    properties: dict[str, Any] = {
        "collection": {
            "type": "string",
            "enum": [collection.name for collection in collections],
            "description": "Where to search.",
        },
        "query": {"type": "string", "description": "Words that the documents looked for should contain."},
    }
    if default_top_k is not None:
        properties["top_k"] = {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_TOP_K,
            "default": default_top_k,
            "description": "Most documents to give.",
        }
    parameters = {
        "type": "object",
        "properties": properties,
        "required": ["collection", "query"],
        "additionalProperties": False,
    }
    description = f"Searches a collection of documents by words and gives the best matches. There is:\n{listed}"
    return ToolSpec("retrieve_documents", description, parameters, ToolKind.RETRIEVER)
