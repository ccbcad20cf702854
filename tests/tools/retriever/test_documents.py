from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from agentbench.errors import DataError, PreflightError, RetrieverError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.documents import DocumentFile

B = Document("b", "Bee", "buzzes")
A = Document("a", "Ant", "wörks\nhard")
C = Document("c", "", "")


def test_documents_are_numbered_in_the_order_of_their_ids(write: Callable[..., Path]) -> None:
    found = DocumentFile(write([B, A, C]))
    assert len(found) == 3
    assert found.read([2, 0, 0]) == [C, A, A]
    assert list(found.chunks(2)) == [(0, [A, B]), (2, [C])]


def test_the_fingerprint_is_that_of_the_documents_not_of_the_file(write: Callable[..., Path]) -> None:
    first = DocumentFile(write([B, A])).fingerprint
    assert DocumentFile(write([A, B])).fingerprint == first
    path = write([A])
    path.write_bytes(b"\n" + path.read_bytes() + orjson.dumps({"text": "buzzes", "title": "Bee", "id": "b", "more": 1}))
    assert DocumentFile(path).fingerprint == first
    assert DocumentFile(write([A, Document("b", "Be", "ebuzzes")])).fingerprint != first


def test_an_empty_file_holds_no_documents(write: Callable[..., Path]) -> None:
    assert len(DocumentFile(write([]))) == 0


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{", "line 2: no JSON"),
        ("[]", "line 2: no document but list"),
        (
            '{"id": "x", "title": null, "text": ""}',
            "line 2: a document needs the texts id, title, text; 'title' is None",
        ),
        ('{"id": "b", "title": "", "text": ""}', "two documents have the id 'b'"),
    ],
)
def test_what_is_no_document_is_named_with_its_line(write: Callable[..., Path], line: str, problem: str) -> None:
    path = write([B])
    path.write_text(path.read_text() + line)
    with pytest.raises(DataError, match=problem):
        DocumentFile(path)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"none\.jsonl cannot be read: No such file"):
        DocumentFile(tmp_path / "none.jsonl")


@pytest.mark.parametrize("change", [lambda path: path.unlink(), lambda path: path.write_bytes(b"{}" * 99)])
def test_a_file_that_changes_under_a_run_is_no_answer(write: Callable[..., Path], change: Callable) -> None:
    path = write([B, A])
    found = DocumentFile(path)
    change(path)
    with pytest.raises(RetrieverError, match="were changed while they were in use"):
        found.read([1])
