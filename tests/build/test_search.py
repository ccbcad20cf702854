"""Every kind of retriever, made from its configuration, keeps what the protocol promises."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import orjson
import pytest

from agentbench.build.search import CollectionFiles, Search, retrievers
from agentbench.config.retriever import (
    Bm25Retriever,
    DenseRetriever,
    ElasticsearchRetriever,
    EncoderConfig,
    EncoderKind,
    HybridRetriever,
    RetrieverConfig,
)
from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Collection, Document, Hit
from agentbench.tools.retriever.bm25 import build_index

DOCUMENTS = {
    "metals": (
        Document("iron", "Iron", "A metal that rusts in damp air."),
        Document("zinc", "Zinc", "A bluish metal that protects steel from rust."),
    ),
    "plays": (Document("rust", "", "Rust, a play in two acts about a family of sailors."),),
}
EMBEDDED: dict[str, RetrieverConfig] = {
    "bm25": Bm25Retriever(),
    "dense": DenseRetriever(),
    "hybrid": HybridRetriever(),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CollectionFiles]:
    root = tmp_path_factory.mktemp("collections")
    for name, documents in DOCUMENTS.items():
        (root / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
        build_index(root / name, documents)
    return {name: CollectionFiles(Collection(name, name), root / f"{name}.jsonl", root / name) for name in DOCUMENTS}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(params=EMBEDDED.values(), ids=list(EMBEDDED), scope="module")
def search(request: pytest.FixtureRequest, places: dict[str, CollectionFiles], cache: Path) -> Search:
    return retrievers(request.param, places, cache, print)


def ask(search: Search, name: str, query: str, top_k: int) -> tuple[Hit, ...]:
    async def asked() -> tuple[Hit, ...]:
        try:
            await search.preflight()
            return await search.by_name[name].search(query, top_k)
        finally:
            await search.close()

    return asyncio.run(asked())


def test_each_collection_has_a_retriever_of_its_own(search: Search) -> None:
    assert set(search.by_name) == {"metals", "plays"}
    assert [hit.document for hit in ask(search, "plays", "rust", 5)] == list(DOCUMENTS["plays"])


def test_hits_are_whole_documents_best_first_and_the_same_again(search: Search) -> None:
    first = ask(search, "metals", "what protects steel", 2)
    assert first[0].document == DOCUMENTS["metals"][1]
    assert [hit.score for hit in first] == sorted((hit.score for hit in first), reverse=True)
    assert ask(search, "metals", "what protects steel", 2) == first


@pytest.mark.parametrize("query", ["metal", "", "\ud800\x00", "x" * 100_000, "'; DROP TABLE metals"])
def test_any_text_can_be_asked_and_no_more_than_top_k_come_back(search: Search, query: str) -> None:
    assert len(ask(search, "metals", query, 1)) <= 1


def test_vectors_are_kept_in_the_cache_folder(places: dict[str, CollectionFiles], tmp_path: Path) -> None:
    retrievers(DenseRetriever(), places, tmp_path, print)
    shapes = [np.load(path).shape for path in (tmp_path / "vectors").iterdir()]
    assert sorted(shapes) == [(1, 512), (2, 512)]


def test_the_rank_constant_of_the_configuration_is_used(places: dict[str, CollectionFiles], cache: Path) -> None:
    # one document, first in both rankings: 2 / (k + 1)
    hits = ask(retrievers(HybridRetriever(rank_constant=3), places, cache, print), "plays", "sailors", 1)
    assert hits[0].score == pytest.approx(2 / 4)


def test_no_collections_need_no_engine(tmp_path: Path) -> None:
    unreachable = ElasticsearchRetriever(url="http://127.0.0.1:1")
    search = retrievers(unreachable, {}, tmp_path, print)

    async def preflight() -> None:
        await search.preflight()

    asyncio.run(preflight())
    assert search.by_name == {}


def test_a_missing_index_a_missing_encoder_and_broken_documents_are_found_before_the_run(
    places: dict[str, CollectionFiles], tmp_path: Path
) -> None:
    with pytest.raises(PreflightError, match="no search index in"):
        retrievers(Bm25Retriever(), {"m": CollectionFiles(Collection("m", ""), tmp_path, tmp_path)}, tmp_path, print)
    elsewhere = EncoderConfig(kind=EncoderKind.TRANSFORMERS, path=str(tmp_path / "none"))
    with pytest.raises(PreflightError, match="no encoder can be loaded"):
        retrievers(DenseRetriever(encoder=elsewhere), places, tmp_path, print)
    (tmp_path / "broken.jsonl").write_text("{")
    broken = CollectionFiles(Collection("m", ""), tmp_path / "broken.jsonl", places["metals"].index)
    with pytest.raises(DataError, match=r"broken\.jsonl, line 1: no JSON"):
        retrievers(DenseRetriever(), {"m": broken}, tmp_path, print)


def test_a_password_is_read_from_the_variable_that_the_configuration_names(
    places: dict[str, CollectionFiles], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MY_ES_PASSWORD", raising=False)
    monkeypatch.chdir(tmp_path)
    config = ElasticsearchRetriever(user="elastic", password_env="MY_ES_PASSWORD", max_retries=0)
    with pytest.raises(PreflightError, match="no password for the user 'elastic'") as caught:
        retrievers(config, places, tmp_path, print)
    assert "MY_ES_PASSWORD" in caught.value.next_step
    (tmp_path / ".env").write_text("MY_ES_PASSWORD=secret\n")
    assert set(retrievers(config, places, tmp_path, print).by_name) == {"metals", "plays"}


def test_an_unreachable_server_is_a_preflight_error(places: dict[str, CollectionFiles], tmp_path: Path) -> None:
    config = ElasticsearchRetriever(url="http://127.0.0.1:1", max_retries=0)
    with pytest.raises(PreflightError, match=r"cannot reach http://127\.0\.0\.1:1"):
        ask(retrievers(config, places, tmp_path, print), "metals", "iron", 1)
