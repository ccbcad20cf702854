"""Vectors of a file of documents, made once and kept in the cache folder.

A file is named by a hash of the documents and the encoder, is written beside its final place and renamed when it is
whole, and is looked through before it is used: processes that make it at the same time do not disturb each other.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import numpy as np

from agentbench.errors import PreflightError
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.encoders import Encoder, Vectors, embedded_text

BATCH = 256
"""Documents that are encoded at once."""
REPORT_EVERY_S = 10.0
STALE_S = 6 * 3600.0
"""Age at which an unfinished file is taken for dead, in seconds."""
_TOLERANCE = 1e-3
"""How far from 1 the squared length of a row of an undamaged file may be."""


def document_vectors(documents: DocumentFile, encoder: Encoder, folder: Path, report: Callable[[str], None]) -> Vectors:
    """One row for each document, mapped into memory from `folder`; encoded first where they are not there yet.

    Raises:
        PreflightError: the folder cannot be written.
        RetrieverError: the documents are changed meanwhile.
    """
    shape = (len(documents), encoder.dimensions)
    if not len(documents):
        return np.empty(shape, np.float32)
    path = folder / f"{_name(documents, encoder)}.npy"
    found = _opened(path, shape)
    if found is None:
        if path.exists():
            report(f"{path} is damaged; its documents are encoded again")
        _make(path, documents, encoder, report)
        found = _opened(path, shape)
    if found is None:
        raise PreflightError(f"{path} cannot be read back", "check the disk, or set cache_dir to another one")
    return found


def _name(documents: DocumentFile, encoder: Encoder) -> str:
    return hashlib.sha256(f"{documents.fingerprint}\n{encoder.identity}".encode()).hexdigest()[:32]


def _opened(path: Path, shape: tuple[int, int]) -> Vectors | None:
    """The mapped file; `None` where there is none, or one that is not whole."""
    try:
        found = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return found if found.shape == shape and found.dtype == np.float32 and _unit_rows(found) else None


def _unit_rows(vectors: Vectors) -> bool:
    """Whether all rows have length 1: pages of zeros or noise do not. A damage that keeps lengths is not seen."""
    parts = (vectors[start : start + 8192] for start in range(0, len(vectors), 8192))
    return all(bool(np.all(np.abs(np.einsum("ij,ij->i", part, part) - 1) < _TOLERANCE)) for part in parts)


def _make(path: Path, documents: DocumentFile, encoder: Encoder, report: Callable[[str], None]) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                _write(file, documents, encoder, report)
                file.flush()
                os.fsync(file.fileno())
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError as error:
        raise PreflightError(f"vectors cannot be kept in {path.parent}: {error.strerror}", "set cache_dir") from error


def _write(file: BinaryIO, documents: DocumentFile, encoder: Encoder, report: Callable[[str], None]) -> None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (len(documents), encoder.dimensions)}
    np.lib.format.write_array_header_1_0(file, header)
    reported = time.monotonic()
    for start, chunk in documents.chunks(BATCH):
        file.write(encoder.encode([embedded_text(document) for document in chunk]).astype("<f4").tobytes())
        if time.monotonic() - reported > REPORT_EVERY_S:
            reported = time.monotonic()
            report(f"{documents.path}: {start + len(chunk):,} of {len(documents):,} documents encoded")


def _sweep(path: Path) -> None:
    """Removes what processes left behind that were killed long ago."""
    for left in path.parent.glob(f".{path.stem}-*"):
        with suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > STALE_S:
                left.unlink()
