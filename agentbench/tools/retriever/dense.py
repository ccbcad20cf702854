"""Search by meaning: the cosine of the query's vector with every document's, exactly, in process.

One matrix product finds the best among 100,000 documents of 512 numbers in some 20 ms, so an approximate index would
save less than it costs in surprises.
"""

from __future__ import annotations

import asyncio

import numpy as np

from agentbench.tools.retriever import Hit
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.encoders import Encoder, Vectors

_DECIMALS = 6
"""Cosines that differ by less are equal: the last bits of a product depend on where a row lies."""


class DenseRetriever:
    """Search over the vectors of one collection; safe to share between all episodes of an event loop."""

    def __init__(self, documents: DocumentFile, vectors: Vectors, encoder: Encoder) -> None:
        """`vectors` has a row for each document, made by the encoder."""
        self._documents = documents
        self._vectors = vectors
        self._encoder = encoder

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """The `top_k` documents with the highest cosine, best first, equal ones in the order of ids.

        There are always `top_k` unless the collection has fewer. Runs in a worker thread: encoding a query takes
        milliseconds.

        Raises:
            RetrieverError: the documents were changed while they were in use.
        """
        return await asyncio.to_thread(self._search, query, top_k)

    def _search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        if not len(self._documents):
            return ()
        (wanted,) = self._encoder.encode([query])
        cosines = np.round(self._vectors @ wanted, _DECIMALS)
        best = _best(cosines, top_k)
        found = self._documents.read(best)
        return tuple(Hit(document, float(cosines[number])) for number, document in zip(best, found, strict=True))


def _best(scores: np.ndarray, top_k: int) -> list[int]:
    """Positions of the `top_k` highest scores, highest first, equal ones by position."""
    wanted = min(top_k, len(scores))
    lowest = np.partition(scores, len(scores) - wanted)[len(scores) - wanted]
    candidates = np.flatnonzero(scores >= lowest)
    order = np.lexsort((candidates, -scores[candidates]))
    return candidates[order][:wanted].tolist()
