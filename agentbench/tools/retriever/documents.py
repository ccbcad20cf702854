"""A file of documents, read from disk as they are asked for: a hundred thousand of them take a few megabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import orjson

from agentbench.errors import DataError, PreflightError, RetrieverError
from agentbench.tools.retriever import Document

FIELDS = ("id", "title", "text")


class DocumentFile:
    """The documents of a `documents.jsonl` in the order of ids; a line is an object with `id`, `title` and `text`.

    Only where each line lies is kept in memory. `fingerprint` is a hash of all documents, whatever order they lie in.
    """

    def __init__(self, path: Path) -> None:
        """Reads the file once.

        Raises:
            PreflightError: there is no such file, or it cannot be read.
            DataError: a line is no document, or two documents have the same id.
        """
        self.path = path
        try:
            lines = sorted(_lines(path))
        except OSError as error:
            raise PreflightError(f"the documents {path} cannot be read: {error.strerror}") from error
        for number in range(1, len(lines)):
            if lines[number - 1].id == lines[number].id:
                raise DataError(path, f"two documents have the id {lines[number].id!r}; each needs its own")
        self._spans = np.array([(line.start, line.size) for line in lines], np.int64).reshape(-1, 2)
        self.fingerprint = hashlib.sha256(b"".join(line.digest for line in lines)).hexdigest()

    def __len__(self) -> int:
        return len(self._spans)

    def read(self, numbers: Sequence[int]) -> list[Document]:
        """The documents with these numbers, counted from 0 in the order of ids.

        Raises:
            RetrieverError: the file was changed or removed after it was opened.
        """
        try:
            with self.path.open("rb") as file:
                return [self._read(file, int(number)) for number in numbers]
        except (OSError, ValueError) as error:
            raise RetrieverError(f"the documents {self.path} were changed while they were in use") from error

    def chunks(self, size: int) -> Iterator[tuple[int, list[Document]]]:
        """All documents in the order of ids, `size` at a time, each with the number of its first."""
        for start in range(0, len(self), size):
            yield start, self.read(range(start, min(start + size, len(self))))

    def _read(self, file: BinaryIO, number: int) -> Document:
        start, size = self._spans[number].tolist()
        file.seek(start)
        value = orjson.loads(file.read(size))
        if problem := _problem(value):
            raise ValueError(problem)
        return Document(value["id"], value["title"], value["text"])


class _Line(NamedTuple):
    id: str
    start: int
    size: int
    digest: bytes


def _lines(path: Path) -> Iterator[_Line]:
    start = 0
    with path.open("rb") as file:
        for number, content in enumerate(file, 1):
            if content.strip():
                yield _line(path, number, start, content)
            start += len(content)


def _line(path: Path, number: int, start: int, content: bytes) -> _Line:
    try:
        value = orjson.loads(content)
    except ValueError as error:
        raise DataError(path, f"no JSON: {error}", number) from error
    if problem := _problem(value):
        raise DataError(path, problem, number)
    whole = orjson.dumps([value[field] for field in FIELDS])
    return _Line(value["id"], start, len(content), hashlib.sha256(whole).digest())


def _problem(value: object) -> str:
    """What keeps a JSON value from being a document."""
    if not isinstance(value, dict):
        return f"no document but {type(value).__name__}"
    wrong = [field for field in FIELDS if not isinstance(value.get(field), str)]
    return f"a document needs the texts {', '.join(FIELDS)}; {wrong[0]!r} is {value.get(wrong[0])!r}" if wrong else ""
