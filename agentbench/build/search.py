"""Document search of a run: one retriever for each collection, of the configured kind.

Everything but BM25 is imported where it is made: numpy and the encoders would double the time a plain run starts in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agentbench.build import Report
from agentbench.config.retriever import (
    Bm25Retriever,
    DenseRetriever,
    ElasticsearchMode,
    ElasticsearchRetriever,
    EncoderConfig,
    EncoderKind,
    HybridRetriever,
    RetrieverConfig,
)
from agentbench.llm.keys import read_key
from agentbench.tools.retriever import Collection, Retriever, bm25, hybrid
from agentbench.types import record

if TYPE_CHECKING:
    from agentbench.tools.retriever.elasticsearch import ElasticsearchIndex
    from agentbench.tools.retriever.encoders import Encoder

VECTORS = "vectors"
"""Folder of the cache that keeps documents' vectors."""


@record
class CollectionFiles:
    """A collection and where its files lie."""

    collection: Collection
    documents: Path
    """`documents.jsonl`."""
    index: Path
    """Folder of the BM25 index."""


class Search(NamedTuple):
    """Retrievers, and what a run does before its first episode and after its last."""

    by_name: dict[str, Retriever]
    """One for each collection."""
    preflight: Callable[[], Awaitable[None]]
    """Raises PreflightError where a server cannot be used; indexes there what it lacks. Embedded engines need none."""
    close: Callable[[], Awaitable[None]]


def retrievers(
    config: RetrieverConfig, places: Mapping[str, CollectionFiles], cache_dir: Path, report: Report
) -> Search:
    """Search over all collections; embedded engines are ready, documents without vectors are encoded here.

    Raises:
        PreflightError: an index or a package is missing, the cache cannot be written, a server's settings are wrong.
        DataError: a file of a collection is damaged.
    """
    if not places:
        return Search({}, _nothing, _nothing)
    match config:
        case Bm25Retriever():
            return _embedded({name: bm25.Bm25Retriever(place.index) for name, place in places.items()})
        case DenseRetriever():
            return _embedded(_dense(config.encoder, places, cache_dir, report))
        case HybridRetriever():
            by_meaning = _dense(config.encoder, places, cache_dir, report)
            return _embedded(
                {
                    name: hybrid.HybridRetriever(
                        (bm25.Bm25Retriever(place.index), by_meaning[name]), config.rank_constant
                    )
                    for name, place in places.items()
                }
            )
        case ElasticsearchRetriever():
            return _elasticsearch(config, places, report)


def encoder(config: EncoderConfig) -> Encoder:
    """The configured encoder, loaded.

    Raises:
        PreflightError: its package is not installed, or there is none at its path.
    """
    from agentbench.tools.retriever.encoders import PackagedEncoder, TransformersEncoder

    match config.kind:
        case EncoderKind.PACKAGED:
            return PackagedEncoder()
        case EncoderKind.TRANSFORMERS:
            return TransformersEncoder(config.path)


def _embedded(by_name: Mapping[str, Retriever]) -> Search:
    return Search(dict(by_name), _nothing, _nothing)


async def _nothing() -> None:
    """Embedded engines hold files only."""


def _dense(
    config: EncoderConfig, places: Mapping[str, CollectionFiles], cache_dir: Path, report: Report
) -> dict[str, Retriever]:
    from agentbench.tools.retriever.dense import DenseRetriever as Dense
    from agentbench.tools.retriever.documents import DocumentFile
    from agentbench.tools.retriever.vectors import document_vectors

    shared = encoder(config)
    made: dict[str, Retriever] = {}
    for name, place in places.items():
        documents = DocumentFile(place.documents)
        vectors = document_vectors(documents, shared, cache_dir / VECTORS, report)
        made[name] = Dense(documents, vectors, shared)
    return made


def _elasticsearch(config: ElasticsearchRetriever, places: Mapping[str, CollectionFiles], report: Report) -> Search:
    from agentbench.tools.retriever.documents import DocumentFile
    from agentbench.tools.retriever.elasticsearch import ElasticsearchIndex
    from agentbench.tools.retriever.elasticsearch_server import ElasticsearchServer

    by_meaning = None if config.mode is ElasticsearchMode.BM25 else encoder(config.encoder)
    server = ElasticsearchServer(config, read_key(config.password_env))
    indexes = {
        name: ElasticsearchIndex(server, config.index_prefix, name, DocumentFile(place.documents), by_meaning)
        for name, place in places.items()
    }

    async def preflight() -> None:
        await server.check()
        for index in indexes.values():
            await index.prepare(config.create_missing, report)

    by_name = {name: _ranked(config, index, by_meaning) for name, index in indexes.items()}
    return Search(by_name, preflight, server.close)


def _ranked(config: ElasticsearchRetriever, index: ElasticsearchIndex, by_meaning: Encoder | None) -> Retriever:
    from agentbench.tools.retriever.elasticsearch import ElasticsearchBm25, ElasticsearchKnn

    if by_meaning is None:
        return ElasticsearchBm25(index)
    nearest = ElasticsearchKnn(index, by_meaning)
    if config.mode is ElasticsearchMode.KNN:
        return nearest
    return hybrid.HybridRetriever((ElasticsearchBm25(index), nearest), config.rank_constant)
