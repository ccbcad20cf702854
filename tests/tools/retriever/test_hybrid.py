from __future__ import annotations

import asyncio

import pytest

from agentbench.errors import RetrieverError
from agentbench.tools.retriever import Document, Hit
from agentbench.tools.retriever.hybrid import DEPTH, HybridRetriever


class Ranked:
    """Always gives the same documents, and remembers how many were asked for."""

    def __init__(self, names: str) -> None:
        self._hits = tuple(Hit(Document(name, "", name), 9.0) for name in names)
        self.asked: list[int] = []

    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        self.asked.append(top_k)
        return self._hits[:top_k]


class Dead:
    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        raise RetrieverError("gone")


def search(*retrievers: Ranked | Dead, top_k: int = 10, constant: int = 60) -> list[tuple[str, float]]:
    hits = asyncio.run(HybridRetriever(retrievers, constant).search("?", top_k))
    return [(hit.document.id, hit.score) for hit in hits]


def test_a_document_scores_1_by_constant_plus_rank_in_each_ranking() -> None:
    # b: 1/62 + 1/61; a: 1/61 + 1/63; c: 1/63 + 1/62 in rankings abc and bca
    found = search(Ranked("abc"), Ranked("bca"))
    expected = [("b", 1 / 62 + 1 / 61), ("a", 1 / 61 + 1 / 63), ("c", 1 / 63 + 1 / 62)]
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert [score for _, score in found] == pytest.approx([score for _, score in expected])


def test_the_constant_decides_between_one_first_place_and_two_middle_ones() -> None:
    # b and x are first once, y is third twice: 1/2 = 2/4 at k = 1 (b before x and y), 1/61 < 2/63 at k = 60
    rankings = (Ranked("xay"), Ranked("bcy"))
    assert search(*rankings, constant=1)[0][0] == "b"
    assert search(*rankings, constant=60)[0][0] == "y"


def test_equal_scores_come_in_the_order_of_ids() -> None:
    assert [name for name, _ in search(Ranked("zy"), Ranked("yz"), Ranked(""))] == ["y", "z"]


def test_what_only_one_engine_finds_is_found() -> None:
    assert {name for name, _ in search(Ranked("ab"), Ranked("c"))} == {"a", "b", "c"}


def test_rankings_are_read_far_enough_down_whatever_is_asked_for() -> None:
    first, second = Ranked("abc"), Ranked("cba")
    assert len(search(first, second, top_k=1)) == 1
    assert first.asked == second.asked == [DEPTH]


def test_half_an_answer_is_none() -> None:
    with pytest.raises(RetrieverError, match="gone"):
        search(Ranked("a"), Dead())
