from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.tools.retriever import Document, Hit
from agentbench.tools.retriever.quality import Benchmark, measure, read_beir, recall_at, reciprocal_rank

CORPUS = '{"_id": "d1", "title": "One", "text": "first"}\n{"_id": "d2", "text": "sec\u2028ond"}\n'
QUERIES = '{"_id": "q1", "text": "one?"}\n{"_id": "q2", "text": "two?"}\n{"_id": "q3", "text": "none?"}\n'
JUDGEMENTS = "query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t1\nq2\td2\t2\nq3\td1\t0\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "corpus.jsonl").write_text(CORPUS, encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text(QUERIES)
    (tmp_path / "qrels" / "test.tsv").write_text(JUDGEMENTS)
    return tmp_path


class Fixed:
    """Ranks d1 to d12 for every query."""

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        return tuple(Hit(Document(f"d{number}", "", ""), 1.0) for number in range(1, 13))[:top_k]


def test_recall_is_the_share_of_the_relevant_documents_that_were_found() -> None:
    relevant = frozenset({"a", "c", "x"})
    assert [recall_at(["a", "b", "c"], relevant, k) for k in (1, 2, 3)] == [1 / 3, 1 / 3, 2 / 3]


def test_the_reciprocal_rank_is_that_of_the_first_relevant_document() -> None:
    assert reciprocal_rank(["a", "b", "c"], frozenset({"b", "c"})) == 1 / 2
    assert reciprocal_rank(["a"], frozenset({"z"})) == 0


def test_queries_without_a_relevant_document_are_left_out(folder: Path) -> None:
    found = read_beir(folder)
    assert found.documents == (Document("d1", "One", "first"), Document("d2", "", "sec\u2028ond"))
    assert found.queries == {"q1": "one?", "q2": "two?"}
    assert found.relevant == {"q1": frozenset({"d1", "d2"}), "q2": frozenset({"d2"})}


def test_figures_are_means_over_queries() -> None:
    relevant = {"q1": frozenset({"d1", "d6"}), "q2": frozenset({"d4"}), "q3": frozenset({"d11"})}
    found = asyncio.run(measure(Fixed(), Benchmark((), dict.fromkeys(relevant, "?"), relevant)))
    # recall@1: 1/2, 0, 0; recall@5: 1/2, 1, 0; recall@10: 1, 1, 0; reciprocal ranks: 1, 1/4, 0 (d11 is past the 10th)
    assert found.n == 3
    assert found.recall == pytest.approx({1: 0.5 / 3, 5: 1.5 / 3, 10: 2 / 3})
    assert found.mrr_at_10 == pytest.approx(1.25 / 3)


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("corpus.jsonl", "{", "corpus.jsonl, line 1: no JSON"),
        ("queries.jsonl", '{"_id": 1, "text": ""}', "queries.jsonl, line 1: needs the texts '_id' and 'text'"),
        ("qrels/test.tsv", "q1\td1\tyes\n", "test.tsv, line 1: needs a query, a document and a whole number"),
        ("qrels/test.tsv", "q1\td9\t1\n", "test.tsv, line 1: no such query or document: 'q1', 'd9'"),
    ],
)
def test_a_wrong_line_is_named(folder: Path, file: str, content: str, problem: str) -> None:
    (folder / file).write_text(content)
    with pytest.raises(DataError, match=problem):
        read_beir(folder)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"corpus\.jsonl cannot be read: No such file"):
        read_beir(tmp_path)
