"""Vectors are made once, kept whole, and made again where the file is damaged."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agentbench.errors import PreflightError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.documents import DocumentFile
from agentbench.tools.retriever.vectors import STALE_S, document_vectors


def quiet(line: str) -> None:
    pass


def files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_rows_are_in_the_order_of_ids_and_lie_in_a_mapped_file(write: Any, letters: Any, tmp_path: Path) -> None:
    documents = DocumentFile(write([Document("2", "", "bb"), Document("1", "", "aa")]))
    found = document_vectors(documents, letters, tmp_path / "cache", quiet)
    # two a and the constant one: (2, 0, 1) / sqrt(5)
    np.testing.assert_allclose(found, np.array([[2, 0, 1], [0, 2, 1]]) / 5**0.5, atol=1e-6)
    assert isinstance(found, np.memmap) and len(files(tmp_path / "cache")) == 1


def test_documents_are_encoded_once(four: DocumentFile, letters: Any, make_letters: Any, tmp_path: Path) -> None:
    first = document_vectors(four, letters, tmp_path / "cache", quiet)
    again = make_letters("letters 1")
    assert np.array_equal(document_vectors(four, again, tmp_path / "cache", quiet), first)
    assert (len(letters.encoded), again.encoded) == (4, [])


def test_another_encoder_or_other_documents_have_a_file_of_their_own(
    four: DocumentFile, write: Any, make_letters: Any, tmp_path: Path
) -> None:
    document_vectors(four, make_letters("letters 1"), tmp_path / "cache", quiet)
    document_vectors(four, make_letters("letters 2"), tmp_path / "cache", quiet)
    document_vectors(
        DocumentFile(write([Document("1", "", "a")])), make_letters("letters 1"), tmp_path / "cache", quiet
    )
    assert len(files(tmp_path / "cache")) == 3


def zeros(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-12] + bytes(12))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-5]),
    "empty": lambda path: path.write_bytes(b""),
    "a page of zeros": zeros,
    "no array": lambda path: path.write_text("hello"),
    "of another shape": lambda path: np.save(path, np.ones((4, 1), np.float32)),
    "of other numbers": lambda path: np.save(path, np.full((4, 3), 3**-0.5)),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_made_again(
    four: DocumentFile, letters: Any, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    whole = np.array(document_vectors(four, letters, tmp_path / "cache", quiet))
    (path,) = files(tmp_path / "cache")
    damage(path)
    lines: list[str] = []
    assert np.array_equal(document_vectors(four, letters, tmp_path / "cache", lines.append), whole)
    assert lines == [f"{path} is damaged; its documents are encoded again"]


def test_what_was_left_by_a_killed_process_does_not_matter_and_goes_in_time(
    four: DocumentFile, letters: Any, tmp_path: Path
) -> None:
    document_vectors(four, letters, tmp_path / "cache", quiet)
    (path,) = files(tmp_path / "cache")
    old, new = (path.with_name(f".{path.stem}-{name}") for name in ("old", "new"))
    old.write_text("half")
    new.write_text("half")
    os.utime(old, (0, time.time() - STALE_S - 60))
    path.unlink()
    document_vectors(four, letters, tmp_path / "cache", quiet)
    assert files(tmp_path / "cache") == [new, path]


def test_an_encoder_that_fails_leaves_nothing(four: DocumentFile, letters: Any, tmp_path: Path) -> None:
    letters.encode = lambda texts: np.asarray(texts[99])
    with pytest.raises(IndexError):
        document_vectors(four, letters, tmp_path / "cache", quiet)
    assert files(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_one_line(four: DocumentFile, letters: Any, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(PreflightError, match="vectors cannot be kept in"):
        document_vectors(four, letters, tmp_path / "cache", quiet)


def test_no_documents_have_no_vectors_and_no_file(write: Any, letters: Any, tmp_path: Path) -> None:
    assert document_vectors(DocumentFile(write([])), letters, tmp_path / "cache", quiet).shape == (0, 3)
    assert not (tmp_path / "cache").exists()
