"""How well a retriever finds what was judged relevant: recall@k and MRR@10 over a collection in BEIR's layout."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Document, Retriever

CUTOFFS = (1, 5, 10)
_HEADER = ["query-id", "corpus-id", "score"]


class Benchmark(NamedTuple):
    """A collection, questions, and which documents answer them."""

    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    """Only queries that have a relevant document."""
    relevant: Mapping[str, frozenset[str]]
    """Ids of the relevant documents of each query, at least one."""


class Quality(NamedTuple):
    """Means over `n` queries, in [0, 1]."""

    n: int
    recall: Mapping[int, float]
    """By cutoff."""
    mrr_at_10: float


def read_beir(folder: Path) -> Benchmark:
    """The benchmark of a folder with `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` (Thakur et al. 2021).

    Raises:
        PreflightError: a file is missing.
        DataError: a line is not what it should be, or a judgement speaks of a query or document that is not there.
    """
    documents = tuple(
        Document(value["_id"], value.get("title") or "", value["text"]) for value in _objects(folder / "corpus.jsonl")
    )
    queries = {value["_id"]: value["text"] for value in _objects(folder / "queries.jsonl")}
    relevant = _judgements(folder / "qrels" / "test.tsv", {document.id for document in documents}, set(queries))
    return Benchmark(documents, {name: queries[name] for name in relevant}, relevant)


async def measure(retriever: Retriever, benchmark: Benchmark) -> Quality:
    """Asks every query once."""
    recalls: dict[int, list[float]] = {cutoff: [] for cutoff in CUTOFFS}
    ranks: list[float] = []
    for name, query in benchmark.queries.items():
        ranking = [hit.document.id for hit in await retriever.search(query, max(*CUTOFFS, 10))]
        for cutoff in CUTOFFS:
            recalls[cutoff].append(recall_at(ranking, benchmark.relevant[name], cutoff))
        ranks.append(reciprocal_rank(ranking[:10], benchmark.relevant[name]))
    n = max(len(ranks), 1)
    return Quality(len(ranks), {cutoff: sum(values) / n for cutoff, values in recalls.items()}, sum(ranks) / n)


def recall_at(ranking: Sequence[str], relevant: frozenset[str], k: int) -> float:
    """The share of the relevant documents among the first `k` (Manning, Raghavan and Schütze 2008, equation 8.2)."""
    return len(relevant.intersection(ranking[:k])) / len(relevant)


def reciprocal_rank(ranking: Sequence[str], relevant: frozenset[str]) -> float:
    """1 / rank of the first relevant document, 0 where there is none (Voorhees 1999, TREC-8 QA track)."""
    return next((1 / rank for rank, name in enumerate(ranking, 1) if name in relevant), 0.0)


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    for number, line in _lines(path):
        try:
            value = orjson.loads(line)
        except ValueError as error:
            raise DataError(path, f"no JSON: {error}", number) from error
        if not isinstance(value, dict) or not all(isinstance(value.get(key), str) for key in ("_id", "text")):
            raise DataError(path, "needs the texts '_id' and 'text'", number)
        yield value


def _judgements(path: Path, documents: set[str], queries: set[str]) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for number, line in _lines(path):
        cells = line.split("\t")
        if number == 1 and cells == _HEADER:
            continue
        if len(cells) != 3 or not cells[2].lstrip("-").isdigit():
            raise DataError(path, f"needs a query, a document and a whole number, not {line!r}", number)
        query, document = cells[:2]
        if query not in queries or document not in documents:
            raise DataError(path, f"no such query or document: {query!r}, {document!r}", number)
        if int(cells[2]) > 0:
            found[query].add(document)
    return {query: frozenset(ids) for query, ids in found.items()}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise PreflightError(f"{path} cannot be read: {error.strerror}") from error
    yield from ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
