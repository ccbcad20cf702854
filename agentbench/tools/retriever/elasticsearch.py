"""Search on an Elasticsearch server: BM25 over title and text, and kNN over vectors; a hybrid fuses the two.

An index is named by a hash of its documents, of the encoder where it has vectors, and of the form of this module's
indexes, so runs over the same documents share one and others never do. Each document is *created* under its number,
never overwritten: two runs that fill the same index at once end with the same index, one that was killed is taken up
where it stopped, and there are no deleted documents to shift the statistics that BM25 counts with. Last of all the
index is marked complete in its `_meta`; without that mark, or with another number of documents, nobody searches it.

One shard, so that scores are those of the whole collection. Words are treated as the embedded engine does: lower-cased,
stripped of accents, cut to their English stem. kNN is the server's own and approximate (HNSW, possibly quantised).
Indexes of former documents stay on the server until somebody deletes them.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import re
from collections.abc import Callable, Sequence
from enum import Enum, auto
from typing import Any

import orjson

from agentbench.errors import PreflightError, RetrieverError
from agentbench.tools.retriever import Document, Hit
from agentbench.tools.retriever.bm25 import MAX_QUERY_CHARS, MAX_QUERY_WORDS, TITLE_WEIGHT
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.elasticsearch_server import FIRST_PAUSE_S, LONGEST_PAUSE_S, ElasticsearchServer
from agentbench.tools.retriever.encoders import Encoder, embedded_text

FORM = 1
"""Counts up when the same documents are indexed in another way; part of every name and mark."""
CHUNK = 256
"""Documents of one bulk request."""
BULK_TIMEOUT_S = 120.0
MAX_WORDS_CHARS = 500
"""Part of a query that is looked up, in characters: each may be a word of its own, and servers allow 1,024 in all."""
CANDIDATES = 200
"""Nearest neighbours that kNN looks at, at least, before it gives the best."""
REPORT_EVERY = 10_000
"""Documents indexed from one line of progress to the next."""
_SOURCE = ["id", "title", "text", "number"]
_MARK = "agentbench"
_NAME_CHARS = 80


class _State(Enum):
    MISSING = auto()
    PARTIAL = auto()
    COMPLETE = auto()


class ElasticsearchIndex:
    """One collection's index on a server, whether it is there yet or not."""

    def __init__(
        self,
        server: ElasticsearchServer,
        prefix: str,
        collection: str,
        documents: DocumentFile,
        encoder: Encoder | None,
    ) -> None:
        """With an encoder the index has vectors too."""
        self.server = server
        self.name = index_name(prefix, collection, documents, encoder)
        self._documents = documents
        self._encoder = encoder

    async def prepare(self, create_missing: bool, report: Callable[[str], None]) -> None:
        """Sees to it that the index is there and complete.

        Raises:
            PreflightError: it is not and `create_missing` is off, something else has its name, or the server fails.
        """
        try:
            state = await self._state()
            if state is _State.COMPLETE:
                return
            if not create_missing:
                problem = f"{self.server.url} has no complete index {self.name!r}"
                raise PreflightError(problem, "set retriever.create_missing=true")
            if state is _State.MISSING:
                await self._create()
            report(f"indexing {len(self._documents):,} documents at {self.server.url} as {self.name}")
            await self._fill(report)
            await self._complete()
        except RetrieverError as error:
            raise PreflightError(f"index {self.name!r}: {error}", error.next_step) from error

    async def search(self, **request: Any) -> tuple[Hit, ...]:
        """The hits of one request, the highest score first, equal ones in the order of ids.

        Raises:
            RetrieverError: the server does not answer, or with something else than our documents.
        """
        body = await self.server.ask(
            lambda client: client.search(
                index=self.name,
                source={"includes": _SOURCE},
                track_total_hits=False,
                allow_partial_search_results=False,
                **request,
            )
        )
        try:
            found = sorted(body["hits"]["hits"], key=lambda hit: (-hit["_score"], hit["_source"]["number"]))
            return tuple(Hit(_document(hit["_source"]), hit["_score"]) for hit in found)
        except (KeyError, TypeError) as error:
            raise RetrieverError(f"{self.server.url} answers a search in no known form") from error

    async def _state(self) -> _State:
        # A 404 is an answer here; options() keeps everything else as it is.
        found = await self.server.ask(
            lambda client: client.options(ignore_status=404).indices.get_mapping(index=self.name)
        )
        if self.name not in found:
            return _State.MISSING
        mark = found[self.name].get("mappings", {}).get("_meta", {}).get(_MARK, {})
        if mark.get("form") != FORM:
            problem = f"{self.server.url} has an index {self.name!r} that is none of ours"
            raise PreflightError(problem, "choose another retriever.index_prefix, or delete it")
        whole = mark.get("complete") is True and await self._count() == len(self._documents)
        return _State.COMPLETE if whole else _State.PARTIAL

    async def _create(self) -> None:
        dimensions = self._encoder.dimensions if self._encoder else None
        body = await self.server.ask(
            lambda client: client.options(ignore_status=400).indices.create(
                index=self.name, settings=SETTINGS, mappings=mappings(dimensions)
            )
        )
        error = body.get("error")
        if error and error.get("type") != "resource_already_exists_exception":  # another run was faster
            raise RetrieverError(f"{error.get('type')}: {error.get('reason')}", "correct retriever.index_prefix")

    async def _fill(self, report: Callable[[str], None]) -> None:
        for start, chunk in self._documents.chunks(CHUNK):
            lines = await asyncio.to_thread(self._lines, start, chunk)
            await self._send(lines)
            done = start + len(chunk)
            if done // REPORT_EVERY > start // REPORT_EVERY:
                report(f"{self.name}: {done:,} of {len(self._documents):,} documents indexed")

    def _lines(self, start: int, chunk: Sequence[Document]) -> list[bytes]:
        """Two lines for each document: what to do, and with what."""
        vectors: list[list[float]] = []
        if self._encoder is not None:
            vectors = self._encoder.encode([embedded_text(document) for document in chunk]).tolist()
        lines: list[bytes] = []
        for offset, document in enumerate(chunk):
            number = start + offset
            value: dict[str, Any] = {
                "id": document.id,
                "title": document.title,
                "text": document.text,
                "number": number,
            }
            if vectors:
                value["vector"] = [round(part, 7) for part in vectors[offset]]
            lines += [orjson.dumps({"create": {"_id": str(number)}}), orjson.dumps(value)]
        return lines

    async def _send(self, lines: list[Any]) -> None:
        """Creates documents until each is there, with pauses while the server asks for them."""
        pause_s = FIRST_PAUSE_S
        while True:
            body = await self.server.ask(
                lambda client: client.bulk(index=self.name, operations=lines), timeout_s=BULK_TIMEOUT_S
            )
            results = [item["create"] for item in body["items"]]
            # 201 created, 409 was there already, 429 the server's queue is full
            wrong = [result for result in results if result["status"] not in (201, 409, 429)]
            if wrong:
                error = wrong[0]["error"]
                raise RetrieverError(f"document {wrong[0]['_id']} is refused: {error['type']}: {error['reason']}")
            if all(result["status"] != 429 for result in results):
                return
            if pause_s > LONGEST_PAUSE_S:
                raise RetrieverError("the server takes no more documents (429)", "wait, or give it more memory")
            await asyncio.sleep(random.uniform(pause_s / 2, pause_s))
            pause_s *= 2

    async def _complete(self) -> None:
        """Marks the index as complete, once all documents can be found."""
        await self.server.ask(lambda client: client.indices.refresh(index=self.name), timeout_s=BULK_TIMEOUT_S)
        found = await self._count()
        if found != len(self._documents):
            problem = f"it holds {found:,} documents instead of {len(self._documents):,}"
            raise RetrieverError(problem, f"delete the index {self.name}, and run again")
        mark = {_MARK: {"form": FORM, "complete": True}}
        await self.server.ask(lambda client: client.indices.put_mapping(index=self.name, meta=mark))

    async def _count(self) -> int:
        return (await self.server.ask(lambda client: client.count(index=self.name)))["count"]


class ElasticsearchBm25:
    """BM25 (k1 = 1.2, b = 0.75) of each field, summed, the title at half weight."""

    def __init__(self, index: ElasticsearchIndex) -> None:
        """The index must have been prepared before the first search."""
        self._index = index

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """At most `top_k` documents that share a word with the query, best first, equal scores by id.

        Nothing in a query is query syntax. Its first 64 different words count, and no more than 500 characters.

        Raises:
            RetrieverError: the server does not answer.
        """
        words = looked_up(query)
        if not words:
            return ()
        asked = {"query": words, "fields": [f"title^{TITLE_WEIGHT}", "text"], "type": "most_fields"}
        order = [{"_score": "desc"}, {"number": "asc"}]
        return await self._index.search(query={"multi_match": asked}, sort=order, size=top_k)


class ElasticsearchKnn:
    """Nearest neighbours of the query's vector by cosine."""

    def __init__(self, index: ElasticsearchIndex, encoder: Encoder) -> None:
        """The index must have been prepared with this encoder before the first search."""
        self._index = index
        self._encoder = encoder

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """The `top_k` nearest documents that the server finds, nearest first, equal ones in the order of ids.

        Raises:
            RetrieverError: the server does not answer.
        """
        (vector,) = await asyncio.to_thread(self._encoder.encode, [query])
        nearest = {
            "field": "vector",
            "query_vector": [round(part, 7) for part in vector.tolist()],
            "k": top_k,
            "num_candidates": max(CANDIDATES, 2 * top_k),
        }
        return await self._index.search(knn=nearest, size=top_k)


def index_name(prefix: str, collection: str, documents: DocumentFile, encoder: Encoder | None) -> str:
    """`<prefix>-<collection>-<hash>`: equal for equal documents, encoder and form."""
    made_of = f"{FORM}\n{documents.fingerprint}\n{encoder.identity if encoder else ''}"
    spoken = re.sub(r"[^a-z0-9_]+", "_", collection.lower())[:_NAME_CHARS]
    return f"{prefix.lower()}-{spoken}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}"


def looked_up(query: str) -> str:
    """The words of a query that count."""
    text = query[:MAX_QUERY_CHARS].encode("utf-8", "replace").decode()
    return " ".join(list(dict.fromkeys(text.split()))[:MAX_QUERY_WORDS])[:MAX_WORDS_CHARS]


SETTINGS = {
    "number_of_shards": 1,
    "number_of_replicas": 0,
    "analysis": {
        "filter": {"stems": {"type": "stemmer", "language": "english"}},
        "analyzer": {
            "words": {
                "type": "custom",
                "tokenizer": "standard",
                "filter": ["lowercase", "asciifolding", "stems"],
            }
        },
    },
}


def mappings(dimensions: int | None) -> dict[str, Any]:
    """The fields of an index that is not complete yet, with vectors where they have dimensions."""
    properties: dict[str, Any] = {
        "id": {"type": "keyword", "index": False, "doc_values": False},
        "title": {"type": "text", "analyzer": "words"},
        "text": {"type": "text", "analyzer": "words"},
        "number": {"type": "integer"},
    }
    if dimensions is not None:
        properties["vector"] = {"type": "dense_vector", "dims": dimensions, "index": True, "similarity": "cosine"}
    return {"dynamic": "strict", "_meta": {_MARK: {"form": FORM, "complete": False}}, "properties": properties}


def _document(source: dict[str, Any]) -> Document:
    return Document(source["id"], source["title"], source["text"])
