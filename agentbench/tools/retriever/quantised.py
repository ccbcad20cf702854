"""Dense search over vectors of few bits: eight per number, or one with the best looked at again.

    documents.jsonl    the passages
    codes.npy          (N, D) int8: each vector scaled by its own largest number
    scales.npy         (N,) float32: what a code of 127 stands for
    bits.npy           (N, D / 8) uint8: the signs alone; with quantisation=binary
    index.json         encoder and form, so that an index is never asked by another encoder

With int8 every document is compared, as `DenseRetriever` does, at a quarter of the memory. With binary the documents
whose signs agree best with the query's are found first, at a 32nd, and of these the best by their int8 codes: rescoring
as I. Yamada et al. (2021), Efficient Passage Retrieval with Hashing (https://arxiv.org/abs/2106.00882) do it. Codes are
mapped from disk; the few rows that rescoring needs are all that is read of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from agentbench.app.writing import write_record
from agentbench.errors import DataError, PreflightError
from agentbench.formats import INDEX as FORMAT
from agentbench.tools.retriever import Hit
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.encoders import Encoder, Vectors, embedded_text
from agentbench.types import record

DOCUMENTS, INDEX = "documents.jsonl", "index.json"
_CODES, _SCALES, _BITS = "codes.npy", "scales.npy", "bits.npy"
_BATCH = 256
_ROWS_AT_ONCE = 16_384
_REPORT_EVERY = 10_000
CANDIDATES = 20
"""With binary codes: for each document that is wanted, how many are looked at again."""
FEWEST_CANDIDATES = 200


class Quantisation(StrEnum):
    """Bits per number."""

    INT8 = "int8"
    BINARY = "binary"


@record
class IndexInfo:
    """What `index.json` holds."""

    encoder_kind: str
    encoder_path: str
    identity: str
    """The encoder's own, which changes with its weights."""
    quantisation: Quantisation
    documents: int
    dimensions: int
    format: str = "quantised/1"


class Codes(NamedTuple):
    """Vectors in few bits."""

    codes: NDArray[np.int8]
    scales: NDArray[np.float32]
    bits: NDArray[np.uint8] | None


class QuantisedRetriever:
    """A `Retriever`; safe to share between all episodes of an event loop."""

    def __init__(self, documents: DocumentFile, codes: Codes, encoder: Encoder) -> None:
        self._documents = documents
        self._codes = codes
        self._encoder = encoder

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        """The `top_k` documents that are most alike, best first, equal ones in the order of ids; in a worker thread.

        Raises:
            RetrieverError: the documents were changed while they were in use.
        """
        return await asyncio.to_thread(self._search, query, top_k)

    def _search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        if not len(self._documents):
            return ()
        (wanted,) = self._encoder.encode([query])
        numbers, scores = nearest(self._codes, wanted, top_k)
        found = self._documents.read(numbers)
        return tuple(Hit(document, score) for document, score in zip(found, scores, strict=True))


def nearest(codes: Codes, query: NDArray[np.float32], top_k: int) -> tuple[list[int], list[float]]:
    """Numbers and cosines, but for rounding, of the rows most like the query, best first."""
    numbers = np.arange(len(codes.codes))
    if codes.bits is not None:
        numbers = _alike(codes.bits, query, max(FEWEST_CANDIDATES, CANDIDATES * top_k))
    scores = np.concatenate([_scores(codes, part, query) for part in _parts(numbers)])
    best = np.lexsort((numbers, -scores))[:top_k]
    return numbers[best].tolist(), scores[best].tolist()


def _scores(codes: Codes, numbers: NDArray[np.int64], query: NDArray[np.float32]) -> NDArray[np.float32]:
    return (codes.codes[numbers].astype(np.float32) @ query) * codes.scales[numbers]


def _parts(numbers: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, max(1, len(numbers)), _ROWS_AT_ONCE):
        yield numbers[start : start + _ROWS_AT_ONCE]


def _alike(bits: NDArray[np.uint8], query: NDArray[np.float32], count: int) -> NDArray[np.int64]:
    """The rows whose signs differ from the query's in the fewest places, in the order of rows."""
    if count >= len(bits):
        return np.arange(len(bits))
    signs = np.packbits(query > 0)
    differing = np.concatenate(
        [
            np.bitwise_count(bits[start : start + _ROWS_AT_ONCE] ^ signs).sum(-1)
            for start in range(0, len(bits), _ROWS_AT_ONCE)
        ]
    )
    return np.sort(np.argpartition(differing, count)[:count])


def quantised(vectors: Vectors, quantisation: Quantisation) -> Codes:
    """Vectors as codes; a number of a vector is `code * scale`, off by at most half a scale."""
    largest = np.abs(vectors).max(axis=-1, initial=1e-12)
    scales = (largest / 127).astype(np.float32)
    codes = np.rint(vectors / scales[:, None]).astype(np.int8)
    bits = np.packbits(vectors > 0, axis=-1) if quantisation is Quantisation.BINARY else None
    return Codes(codes, scales, bits)


def write_index(folder: Path, encoder: Encoder, info: IndexInfo, report: Callable[[str], None]) -> IndexInfo:
    """Encodes the folder's documents; gives what `index.json` says, which is written last.

    Raises:
        PreflightError, DataError: the documents are missing or broken.
    """
    documents = DocumentFile(folder / DOCUMENTS)
    count, width = len(documents), encoder.dimensions
    binary = info.quantisation is Quantisation.BINARY
    with (folder / _CODES).open("wb") as codes, (folder / _SCALES).open("wb") as scales:
        _header(codes, "|i1", (count, width))
        _header(scales, "<f4", (count,))
        bits = (folder / _BITS).open("wb") if binary else None
        if bits is not None:
            _header(bits, "|u1", (count, (width + 7) // 8))
        for start, chunk in documents.chunks(_BATCH):
            made = quantised(encoder.encode([embedded_text(document) for document in chunk]), info.quantisation)
            codes.write(made.codes.tobytes())
            scales.write(made.scales.astype("<f4").tobytes())
            if bits is not None and made.bits is not None:
                bits.write(made.bits.tobytes())
            if (start + len(chunk)) // _REPORT_EVERY > start // _REPORT_EVERY:
                report(f"{start + len(chunk):,} of {count:,} passages encoded")
        if bits is not None:
            bits.close()
    written = IndexInfo(info.encoder_kind, info.encoder_path, encoder.identity, info.quantisation, count, width)
    write_record(folder / INDEX, FORMAT, written)
    return written


def _header(file: BinaryIO, kind: str, shape: tuple[int, ...]) -> None:
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})


def read_info(folder: Path) -> IndexInfo:
    """What an index is made of.

    Raises:
        PreflightError: there is none.
        DataError: its description cannot be read, or a newer agentbench wrote it.
    """
    path = folder / INDEX
    if not path.is_file():
        advice = "python -m agentbench.prepare source=dump source.path=… makes one"
        raise PreflightError(f"no index in {str(folder)!r}: {INDEX} is missing", advice)
    try:
        return TypeAdapter(IndexInfo).validate_json(FORMAT.current_json(path.read_bytes(), path))
    except ValidationError as error:
        raise DataError(path, f"is no description of an index: {error.errors()[0]['msg']}") from None


def open_index(folder: Path, info: IndexInfo, encoder: Encoder) -> QuantisedRetriever:
    """Search over an index, its codes mapped into memory.

    Raises:
        PreflightError: a file is missing, or the encoder is another one than the index was made with.
        DataError: a file is damaged.
    """
    if encoder.identity != info.identity:
        problem = f"the index {str(folder)!r} was made with {info.identity!r}, here is {encoder.identity!r}"
        raise PreflightError(problem, "make the index again, or install the encoder it was made with")
    documents = DocumentFile(folder / DOCUMENTS)
    shapes = {_CODES: (info.documents, info.dimensions), _SCALES: (info.documents,)}
    if info.quantisation is Quantisation.BINARY:
        shapes[_BITS] = (info.documents, (info.dimensions + 7) // 8)
    found = {name: _mapped(folder / name, shape) for name, shape in shapes.items()}
    if len(documents) != info.documents:
        raise DataError(folder / DOCUMENTS, f"holds {len(documents)} passages, the index {info.documents}")
    return QuantisedRetriever(documents, Codes(found[_CODES], found[_SCALES], found.get(_BITS)), encoder)


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[Any]:
    try:
        found = np.load(path, mmap_mode="r" if shape[0] else None, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(path, f"cannot be read: {error}", None, "make the index again") from error
    if found.shape != shape:
        raise DataError(path, f"has the shape {found.shape}, not {shape}", None, "make the index again")
    return found
