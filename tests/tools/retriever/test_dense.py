from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest

from agentbench.errors import RetrieverError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.dense import DenseRetriever
from agentbench.tools.retriever.documents import DocumentFile

TEXTS = {"d1": "b", "d2": "aab", "d3": "aa", "d4": "ab"}


def over(documents: DocumentFile, encoder: Any) -> DenseRetriever:
    texts = [document.text for _, chunk in documents.chunks(10) for document in chunk]
    return DenseRetriever(documents, encoder.encode(texts), encoder)


@pytest.fixture
def retriever(write: Any, letters: Any) -> DenseRetriever:
    return over(DocumentFile(write([Document(name, "", text) for name, text in TEXTS.items()])), letters)


def test_hits_are_whole_documents_with_their_cosines_highest_first(retriever: DenseRetriever) -> None:
    # query (1, 0, 1) / √2 with d3 (2, 0, 1) / √5: 3 / √10, d2 (2, 1, 1) / √6: 3 / √12, d4 (1, 1, 1) / √3: 2 / √6
    hits = asyncio.run(retriever.search("a", 3))
    assert [hit.document for hit in hits] == [Document(name, "", TEXTS[name]) for name in ("d3", "d2", "d4")]
    assert [hit.score for hit in hits] == pytest.approx([3 / 10**0.5, 3 / 12**0.5, 2 / 6**0.5], abs=1e-6)


def test_all_documents_come_where_fewer_were_asked_for_than_there_are(retriever: DenseRetriever, ids: Any) -> None:
    assert ids(retriever, "b", 100) == ["d1", "d4", "d2", "d3"]


def test_equal_texts_come_in_the_order_of_ids_wherever_the_cut_is(write: Any, letters: Any, ids: Any) -> None:
    alike = [Document(f"d{number:03}", "", "ab") for number in range(301)]
    retriever = over(DocumentFile(write(alike[::-1])), letters)
    assert ids(retriever, "aaab", 5) == ["d000", "d001", "d002", "d003", "d004"]


def test_the_best_of_thousands_are_those_of_a_full_sort(write: Any, letters: Any, ids: Any) -> None:
    rng = np.random.default_rng(0)
    documents = DocumentFile(write([Document(f"{number:04}", "", "") for number in range(3000)]))
    vectors = rng.standard_normal((3000, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    (wanted,) = letters.encode(["aab"])
    expected = sorted(range(3000), key=lambda number: -float(vectors[number] @ wanted))[:20]
    assert ids(DenseRetriever(documents, vectors, letters), "aab", 20) == [f"{number:04}" for number in expected]


def test_no_documents_give_no_hits(write: Any, letters: Any, ids: Any) -> None:
    assert ids(over(DocumentFile(write([])), letters), "a") == []


def test_lost_documents_are_the_engines_fault(retriever: DenseRetriever, write: Any, ids: Any) -> None:
    write([])
    with pytest.raises(RetrieverError, match="were changed"):
        ids(retriever, "a")
