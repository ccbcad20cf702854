"""Several searches over one collection, their rankings fused: what one misses another may find.

Reciprocal rank fusion (Cormack, Clarke and Büttcher 2009, "Reciprocal rank fusion outperforms Condorcet and individual
rank learning methods", SIGIR, section 2): RRFscore(d) = Σ_r 1 / (k + r(d)) over the rankings r, ranks counted from 1.
Scores of different engines are never compared.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence

from agentbench.tools.retriever import Document, Hit, Retriever

DEPTH = 100
"""How far down each ranking is read; a document below that adds less than 1 / (k + 100)."""


class HybridRetriever:
    """Search by several engines at once."""

    def __init__(self, retrievers: Sequence[Retriever], rank_constant: int) -> None:
        """All retrievers search the same collection; `rank_constant` is the k of the formula."""
        self._retrievers = tuple(retrievers)
        self._rank_constant = rank_constant

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """The `top_k` documents with the highest fused score, best first, equal ones in the order of ids.

        Raises:
            RetrieverError: one of the engines cannot answer.
        """
        depth = max(top_k, DEPTH)
        rankings = await asyncio.gather(*(retriever.search(query, depth) for retriever in self._retrievers))
        return fused(rankings, self._rank_constant)[:top_k]


def fused(rankings: Sequence[Sequence[Hit]], rank_constant: int) -> tuple[Hit, ...]:
    """One ranking of all documents in the rankings."""
    scores: dict[str, float] = defaultdict(float)
    documents: dict[str, Document] = {}
    for ranking in rankings:
        for rank, hit in enumerate(ranking, 1):
            scores[hit.document.id] += 1 / (rank_constant + rank)
            documents[hit.document.id] = hit.document
    ordered = sorted(scores, key=lambda document_id: (-scores[document_id], document_id))
    return tuple(Hit(documents[document_id], scores[document_id]) for document_id in ordered)
