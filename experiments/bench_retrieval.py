"""How well each retriever finds what was judged relevant, and what a search in 100,000 documents costs.

    python experiments/bench_retrieval.py [DATA] [--elasticsearch URL] [--scale [DOCUMENTS]]

DATA (default ../shared/data/rag) holds collections in BEIR's layout. Quality: recall@k and MRR@10 over all queries that
have a relevant document, beside published BM25 figures where there are any. `--scale` measures instead, each engine in
a process of its own: CPU seconds to index, milliseconds per search, memory. Dense encodes fewer documents, because
encoding is nearly all its cost and grows in proportion, and searches as many vectors as there are documents.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import random
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from agentbench.build.search import CollectionFiles, Search, retrievers
from agentbench.config.retriever import (
    Bm25Retriever,
    DenseRetriever,
    ElasticsearchMode,
    ElasticsearchRetriever,
    HybridRetriever,
    RetrieverConfig,
)
from agentbench.tools.retriever import Collection, Document, Retriever, bm25, dense
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.encoders import PackagedEncoder, Vectors, embedded_text
from agentbench.tools.retriever.quality import CUTOFFS, Quality, measure, read_beir

COLLECTIONS = ("clapnq_dev", "mtrag_un")
BASELINES = {
    "clapnq_dev": "    BM25, given with the data     0.883  0.957  0.960  0.918",
    "mtrag_un": "    BM25, given with the data     0.327  0.682  0.765  0.752",
}
SEED = 1
SEARCHES = 200
ENCODED = 2_000
"""Documents that dense encodes for `--scale`."""


def main() -> None:
    """Prints one of the two tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("data", nargs="?", type=Path, default=Path("../shared/data/rag"))
    parser.add_argument("--elasticsearch", metavar="URL", default="")
    parser.add_argument("--scale", metavar="DOCUMENTS", nargs="?", type=int, const=100_000)
    arguments = parser.parse_args()
    print(f"commit {_commit()}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores\n")
    if arguments.scale:
        _print_scale(arguments.scale)
        return
    for name in COLLECTIONS:
        if (arguments.data / name).is_dir():
            _print_quality(arguments.data / name, arguments.elasticsearch)
        else:
            print(f"{name}: skipped, there is no folder {arguments.data / name}")


def _print_quality(folder: Path, url: str) -> None:
    benchmark = read_beir(folder)
    with tempfile.TemporaryDirectory() as scratch:
        files = _files(Path(scratch), folder.name, benchmark.documents)
        print(f"{folder.name}: {len(benchmark.documents)} documents, n = {len(benchmark.queries)} queries")
        print(f"    {'':<30}{''.join(f'R@{cutoff:<5}' for cutoff in CUTOFFS)}MRR@10   ms per query")
        print(BASELINES.get(folder.name, ""))
        for label, config in _kinds(url).items():
            started = time.perf_counter()
            search = retrievers(config, {folder.name: files}, Path(scratch), print)
            found, seconds = asyncio.run(_measured(search, lambda retriever: measure(retriever, benchmark)))
            ready = time.perf_counter() - started - seconds
            print(f"    {label:<30}{_row(found)}  {1000 * seconds / found.n:7.2f}   (ready after {ready:.1f} s)")
    print()


def _kinds(url: str) -> dict[str, RetrieverConfig]:
    kinds: dict[str, RetrieverConfig] = {
        "bm25": Bm25Retriever(),
        "dense": DenseRetriever(),
        "hybrid": HybridRetriever(),
    }
    if url:
        kinds |= {f"elasticsearch {mode}": ElasticsearchRetriever(url=url, mode=mode) for mode in ElasticsearchMode}
    return kinds


async def _measured(search: Search, judge: Callable) -> tuple[Quality, float]:
    try:
        await search.preflight()
        (retriever,) = search.by_name.values()
        started = time.perf_counter()
        return await judge(retriever), time.perf_counter() - started
    finally:
        await search.close()


def _row(found: Quality) -> str:
    return "  ".join(f"{value:.3f}" for value in (*found.recall.values(), found.mrr_at_10))


def _files(folder: Path, name: str, documents: tuple[Document, ...]) -> CollectionFiles:
    path = folder / f"{name}.jsonl"
    path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    bm25.build_index(folder / f"{name}.index", documents)
    return CollectionFiles(Collection(name, name), path, folder / f"{name}.index")


class Cost(NamedTuple):
    """What one engine took."""

    indexed: int
    index_cpu_s: float
    search_ms: tuple[float, ...]
    searched: int
    peak_mb: float
    resident_mb: float
    """Once the collection is open and was searched."""
    disk_mb: float


def _print_scale(count: int) -> None:
    print(f"{count:,} documents of about 120 words, seed {SEED}; {SEARCHES} searches of 8 words, top 10")
    speeds = "ms per search: median (90 %)"
    print(f"{'':<8}{'indexed':>9}{'CPU s':>8}{'searched':>10}  {speeds:<30}peak MB  open MB  disk MB")
    for name, cost in (("bm25", _scale_bm25), ("dense", _scale_dense)):
        with tempfile.TemporaryDirectory() as scratch:
            spent = _alone(cost, Path(scratch), count)
        deciles = statistics.quantiles(spent.search_ms, n=10)
        speed = f"{statistics.median(spent.search_ms):.2f} ({deciles[-1]:.2f})"
        print(
            f"{name:<8}{spent.indexed:>9,}{spent.index_cpu_s:>8.1f}{spent.searched:>10,}  {speed:<30}"
            f"{spent.peak_mb:>7.0f}{spent.resident_mb:>9.0f}{spent.disk_mb:>9.0f}"
        )


def _alone(measured: Callable[[Path, int], Cost], folder: Path, count: int) -> Cost:
    """Runs it in a process of its own, so that memory is its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, folder, count).result()


def _scale_bm25(folder: Path, count: int) -> Cost:
    documents = _synthetic(count)
    started = time.process_time()
    bm25.build_index(folder / "index", documents)
    spent = time.process_time() - started
    peak = _peak_mb()
    opened = _alone(_open_bm25, folder, count)
    return opened._replace(indexed=count, index_cpu_s=spent, peak_mb=peak)


def _open_bm25(folder: Path, count: int) -> Cost:
    times = _searches(bm25.Bm25Retriever(folder / "index"))
    return Cost(0, 0.0, times, count, 0.0, _resident_mb(), _disk_mb(folder / "index"))


def _scale_dense(folder: Path, count: int) -> Cost:
    documents = _synthetic(count)
    path = folder / "documents.jsonl"
    path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    encoder = PackagedEncoder()
    started = time.process_time()
    encoder.encode([embedded_text(document) for document in documents[:ENCODED]])
    spent = time.process_time() - started
    peak = _peak_mb()
    opened = _alone(_open_dense, folder, count)
    return opened._replace(indexed=ENCODED, index_cpu_s=spent, peak_mb=peak)


def _open_dense(folder: Path, count: int) -> Cost:
    np.save(folder / "vectors.npy", _random_vectors(count))
    vectors: Vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    documents = DocumentFile(folder / "documents.jsonl")
    times = _searches(dense.DenseRetriever(documents, vectors, PackagedEncoder()))
    return Cost(0, 0.0, times, count, 0.0, _resident_mb(), _disk_mb(folder / "vectors.npy"))


def _random_vectors(count: int) -> Vectors:
    drawn = np.random.default_rng(SEED).standard_normal((count, PackagedEncoder.dimensions), np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def _synthetic(count: int) -> list[Document]:
    """Words drawn from 50,000 with frequencies of 1 / rank, as in natural text."""
    rng = random.Random(SEED)
    words = [_word(rng) for _ in range(50_000)]
    weights = list(np.cumsum(1 / np.arange(1, len(words) + 1)))
    return [
        Document(f"d{number:06}", _word(rng), " ".join(rng.choices(words, cum_weights=weights, k=120)))
        for number in range(count)
    ]


def _word(rng: random.Random) -> str:
    return "".join(rng.choice("bdfgklmnprstvz") + rng.choice("aeiou") for _ in range(rng.randint(1, 4)))


def _searches(retriever: Retriever) -> tuple[float, ...]:
    rng = random.Random(SEED)
    words = [_word(rng) for _ in range(50_000)]
    weights = list(np.cumsum(1 / np.arange(1, len(words) + 1)))
    queries = [" ".join(rng.choices(words, cum_weights=weights, k=8)) for _ in range(SEARCHES)]
    return asyncio.run(_timed(retriever, queries))


async def _timed(retriever: Retriever, queries: list[str]) -> tuple[float, ...]:
    await retriever.search(queries[0], 10)
    times: list[float] = []
    for query in queries:
        started = time.perf_counter()
        await retriever.search(query, 10)
        times.append((time.perf_counter() - started) * 1000)
    return tuple(times)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _disk_mb(path: Path) -> float:
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 2**20


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
