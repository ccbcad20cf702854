"""How documents are searched."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema


@schema
class Bm25Retriever:
    """Embedded BM25 index on disk, no server."""

    kind: Literal["bm25"] = "bm25"
    top_k: Annotated[int, Field(ge=1, le=100)] = 3
    """Documents returned per query. Gold searches bring their document up among the first 3."""


RetrieverConfig = Bm25Retriever
