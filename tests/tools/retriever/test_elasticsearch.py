"""Indexing and searching on a real Elasticsearch-compatible server, whose limits the contract tests make up for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentbench.config.retriever import ElasticsearchRetriever
from agentbench.errors import PreflightError, RetrieverError
from agentbench.llm.keys import ApiKey
from agentbench.tools.retriever import Document, Hit
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.elasticsearch import (
    SETTINGS,
    ElasticsearchBm25,
    ElasticsearchIndex,
    ElasticsearchKnn,
    index_name,
    looked_up,
    mappings,
)
from agentbench.tools.retriever.elasticsearch_server import ElasticsearchServer


class Es:
    """One collection on a server, each call on a connection of its own."""

    def __init__(self, url: str, prefix: str, documents: DocumentFile, encoder: Any = None) -> None:
        self._config = ElasticsearchRetriever(url=url, max_retries=0)
        self._made_of = (prefix, "four", documents, encoder)
        self._encoder = encoder
        self.name = index_name(*self._made_of)
        self.lines: list[str] = []

    def __call__(self, do: Callable[[ElasticsearchIndex], Awaitable[Any]]) -> Any:
        return asyncio.run(self._with_index(do))

    def prepare(self, create_missing: bool = True) -> None:
        self(lambda index: index.prepare(create_missing, self.lines.append))

    def words(self, query: str, top_k: int = 10) -> tuple[Hit, ...]:
        return self(lambda index: ElasticsearchBm25(index).search(query, top_k))

    def nearest(self, query: str, top_k: int = 10) -> tuple[Hit, ...]:
        return self(lambda index: ElasticsearchKnn(index, self._encoder).search(query, top_k))

    async def _with_index(self, do: Callable[[ElasticsearchIndex], Awaitable[Any]]) -> Any:
        server = ElasticsearchServer(self._config, ApiKey("UNUSED"))
        try:
            return await do(ElasticsearchIndex(server, *self._made_of))
        finally:
            await server.close()


@pytest.fixture
def es(es_url: str, prefix: str, four: DocumentFile) -> Es:
    return Es(es_url, prefix, four)


def names(hits: tuple[Hit, ...]) -> list[str]:
    return [hit.document.id for hit in hits]


def test_words_find_whole_documents_best_first(es: Es, four: DocumentFile) -> None:
    es.prepare()
    hits = es.words("iron metal")
    assert [hit.document for hit in hits] == four.read([1, 3])
    assert hits[0].score > hits[1].score > 0
    assert names(es.words("iron metal", 1)) == ["iron"]


@pytest.mark.parametrize("query", ["painted", "PAINTS", 'helps "', "-oxygen^9 (", "id:helps OXYGEN~2 [a TO"])
def test_words_are_treated_as_by_the_embedded_engine_and_nothing_is_syntax(es: Es, query: str) -> None:
    es.prepare()
    assert names(es.words(query, 1)) == ["rust"]


def test_accents_do_not_matter_and_titles_are_searched(es: Es) -> None:
    es.prepare()
    assert names(es.words("cafe muller")) == ["café"]


@pytest.mark.parametrize("query", ["", " \n", "\ud800", "zirconium", "*", "title:(", "\x00"])
def test_a_query_without_known_words_finds_nothing(es: Es, query: str) -> None:
    es.prepare()
    assert es.words(query) == ()


def test_of_a_long_query_64_different_words_and_500_characters_count() -> None:
    words = [f"w{number}" for number in range(70)]
    assert looked_up(" ".join(words * 3)) == " ".join(words[:64])
    assert looked_up("x" * 501) == "x" * 500


def test_neighbours_come_nearest_first(es_url: str, prefix: str, write: Any, letters: Any) -> None:
    texts = {"d1": "b", "d2": "aab", "d3": "aa", "d4": "aa"}
    documents = DocumentFile(write([Document(name, "", text) for name, text in texts.items()]))
    es = Es(es_url, prefix, documents, letters)
    es.prepare()
    hits = es.nearest("a", 3)
    # a score is (1 + cosine) / 2; cosines as in the test of dense search: 3 / √10 twice, 3 / √12;
    # servers round vectors to bytes
    assert names(hits) == ["d3", "d4", "d2"]
    assert [hit.score for hit in hits] == pytest.approx([(1 + 3 / n**0.5) / 2 for n in (10, 10, 12)], abs=1e-3)


def test_documents_are_indexed_once(es: Es, raw: Any, es_url: str) -> None:
    es.prepare()
    es.prepare()
    assert es.lines == [f"indexing 4 documents at {es_url} as {es.name}"]
    found = raw(es_url, lambda client: client.get(index=es.name, id="0"))
    assert (found["_version"], found["_source"]["id"]) == (1, "café")


def test_a_name_says_what_is_in_the_index(four: DocumentFile, write: Any, letters: Any, make_letters: Any) -> None:
    name = index_name("Bench", "Café & Co", four, None)
    assert name.startswith("bench-caf_co-") and name == index_name("Bench", "Café & Co", four, None)
    others = [index_name("bench", "Café & Co", four, encoder) for encoder in (letters, make_letters("letters 2"))]
    fewer = index_name("bench", "Café & Co", DocumentFile(write(four.read([0]))), None)
    assert len({name, fewer, *others}) == 4


def half_built(client: Any, name: str) -> Any:
    """What a run leaves that was killed after its first document."""

    async def build() -> Any:
        await client.indices.create(index=name, mappings=mappings(None), settings=SETTINGS)
        source = {"id": "café", "title": "Café Müller", "text": "A dance piece about doors and chairs.", "number": 0}
        return await client.create(index=name, id="0", document=source, refresh=True)

    return build()


def test_an_index_half_built_by_a_killed_run_is_taken_up(es: Es, raw: Any, es_url: str) -> None:
    raw(es_url, lambda client: half_built(client, es.name))
    with pytest.raises(PreflightError, match="has no complete index"):
        es.prepare(create_missing=False)
    es.prepare()
    assert sorted(names(es.words("dance iron metal"))) == ["café", "iron", "rust"]
    assert raw(es_url, lambda client: client.get(index=es.name, id="0"))["_version"] == 1


def test_an_index_that_lost_a_document_is_mended(es: Es, raw: Any, es_url: str) -> None:
    es.prepare()
    raw(es_url, lambda client: client.delete(index=es.name, id="1", refresh=True))
    es.prepare()
    assert "iron" in names(es.words("metal")) and len(es.lines) == 2


def test_runs_that_fill_the_same_index_at_once_do_not_disturb_each_other(es: Es, raw: Any, es_url: str) -> None:
    async def both(index: ElasticsearchIndex) -> None:
        await asyncio.gather(*(index.prepare(True, es.lines.append) for _ in range(5)))

    es(both)
    assert raw(es_url, lambda client: client.count(index=es.name))["count"] == 4
    versions = [raw(es_url, lambda client, n=n: client.get(index=es.name, id=str(n)))["_version"] for n in range(4)]
    assert versions == [1, 1, 1, 1]


def test_a_missing_index_is_an_error_where_none_may_be_made(es: Es, raw: Any, es_url: str) -> None:
    with pytest.raises(PreflightError, match=f"{es_url} has no complete index '{es.name}'") as caught:
        es.prepare(create_missing=False)
    assert caught.value.next_step == "set retriever.create_missing=true"
    assert es.lines == []


def test_an_index_of_somebody_else_is_left_alone(es: Es, raw: Any, es_url: str) -> None:
    raw(es_url, lambda client: client.indices.create(index=es.name))
    with pytest.raises(PreflightError, match="that is none of ours"):
        es.prepare()
    assert raw(es_url, lambda client: client.count(index=es.name))["count"] == 0


def test_a_document_too_many_is_seen(es: Es, raw: Any, es_url: str) -> None:
    es.prepare()
    extra = {"id": "x", "title": "", "text": "iron", "number": 9}
    raw(es_url, lambda client: client.index(index=es.name, id="9", document=extra, refresh=True))
    with pytest.raises(PreflightError, match="holds 5 documents instead of 4") as caught:
        es.prepare()
    assert caught.value.next_step == f"delete the index {es.name}, and run again"


def test_an_index_that_vanishes_under_a_run_is_the_engines_fault(es: Es, raw: Any, es_url: str) -> None:
    es.prepare()
    raw(es_url, lambda client: client.indices.delete(index=es.name))
    with pytest.raises(RetrieverError, match="has lost an index: index_not_found_exception"):
        es.words("iron")


def test_a_prefix_that_servers_refuse_is_one_line(es_url: str, four: DocumentFile) -> None:
    with pytest.raises(PreflightError, match="invalid_index_name_exception") as caught:
        Es(es_url, "_bad", four).prepare()
    assert caught.value.next_step == "correct retriever.index_prefix"


def test_hundreds_of_documents_go_in_several_requests(es_url: str, prefix: str, write: Any) -> None:
    documents = DocumentFile(write([Document(f"d{number:04}", "", f"word{number}") for number in range(600)]))
    es = Es(es_url, prefix, documents)
    es.prepare()
    assert [names(es.words(f"word{number}")) for number in (0, 255, 256, 599)] == [
        ["d0000"],
        ["d0255"],
        ["d0256"],
        ["d0599"],
    ]


def test_an_empty_collection_has_an_index_that_finds_nothing(es_url: str, prefix: str, write: Any) -> None:
    es = Es(es_url, prefix, DocumentFile(write([])))
    es.prepare()
    assert es.words("iron") == ()
