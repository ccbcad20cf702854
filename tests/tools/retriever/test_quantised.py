"""Indexes of few bits: what a code is worth, what is found, and files that do not fit."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Document
from agentbench.tools.retriever.encoders import Vectors
from agentbench.tools.retriever.quantised import (
    IndexInfo,
    Quantisation,
    nearest,
    open_index,
    quantised,
    read_info,
    write_index,
)
from tests.tools.retriever.conftest import LetterEncoder

DOCUMENTS = [Document("1", "", "aaaa"), Document("2", "", "bbbb"), Document("3", "", "abab")]


def unit(rows: int, columns: int, seed: int = 0) -> Vectors:
    found = np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def index(
    folder: Path, kind: Quantisation, encoder: LetterEncoder, documents: Sequence[Document] = DOCUMENTS
) -> IndexInfo:
    import orjson

    (folder / "documents.jsonl").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in documents))
    return write_index(folder, encoder, IndexInfo("packaged", "", "", kind, 0, 0), lambda line: None)


def test_a_code_is_off_by_at_most_half_its_scale() -> None:
    vectors = unit(50, 16)
    codes = quantised(vectors, Quantisation.INT8)
    assert codes.codes.dtype == np.int8 and codes.bits is None
    assert (np.abs(codes.codes * codes.scales[:, None] - vectors) <= codes.scales[:, None] / 2 + 1e-7).all()


def test_a_bit_is_a_sign() -> None:
    bits = quantised(np.array([[0.6, -0.8, 0, 0, 0, 0, 0, 0.1]], np.float32), Quantisation.BINARY).bits
    assert bits is not None and bits.tolist() == [[0b10000001]]


@pytest.mark.parametrize("kind", Quantisation)
def test_nearly_all_that_exact_search_finds_is_found(kind: Quantisation) -> None:
    vectors, queries = unit(3000, 64), unit(20, 64, seed=1)
    codes = quantised(vectors, kind)
    found = [len(set(nearest(codes, q, 10)[0]) & set(np.argsort(-(vectors @ q))[:10].tolist())) for q in queries]
    assert sum(found) / 200 > (0.97 if kind is Quantisation.INT8 else 0.6)  # random vectors, the hardest there are


def test_cosines_come_out_best_first_and_equal_ones_in_the_order_of_rows() -> None:
    same = np.array([[1, 0], [0, 1], [1, 0]], np.float32)
    numbers, scores = nearest(quantised(same, Quantisation.INT8), np.array([1, 0], np.float32), 3)
    assert numbers == [0, 2, 1] and scores == pytest.approx([1, 1, 0], abs=1e-6)


@pytest.mark.parametrize("kind", Quantisation)
def test_an_index_on_disk_answers_by_meaning(tmp_path: Path, kind: Quantisation) -> None:
    encoder = LetterEncoder()
    info = index(tmp_path, kind, encoder)
    assert info == read_info(tmp_path) and info.documents == 3 and info.dimensions == 3
    hits = asyncio.run(open_index(tmp_path, info, encoder).search("bb", 2))
    assert [hit.document.id for hit in hits] == ["2", "3"]


def test_another_encoder_may_not_ask(tmp_path: Path) -> None:
    info = index(tmp_path, Quantisation.INT8, LetterEncoder())
    with pytest.raises(PreflightError, match="was made with 'letters 1', here is 'letters 2'"):
        open_index(tmp_path, info, LetterEncoder("letters 2"))


def test_a_damaged_or_missing_index_is_said_with_its_file(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"index.json is missing") as caught:
        read_info(tmp_path)
    assert "source=dump" in caught.value.next_step
    info = index(tmp_path, Quantisation.BINARY, LetterEncoder())
    (tmp_path / "bits.npy").write_bytes(b"short")
    with pytest.raises(DataError, match=r"bits.npy: cannot be read"):
        open_index(tmp_path, info, LetterEncoder())
    (tmp_path / "index.json").write_text("{}")
    with pytest.raises(DataError, match="no description of an index"):
        read_info(tmp_path)
