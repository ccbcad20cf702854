"""Which tools a shortlist keeps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from agentbench.tools.shortlist import (
    bm25_ranking,
    dense_ranking,
    keeps_gold,
    shortlist,
    task_query,
    tool_text,
)
from agentbench.types import Exchange, Task, ToolKind, ToolSpec


def tool(name: str, description: str, kind: ToolKind = ToolKind.API) -> ToolSpec:
    properties = {"title": {"type": "string", "description": "Of a film."}}
    return ToolSpec(name, description, {"type": "object", "properties": properties}, kind)


SEARCH = tool("retrieve_documents", "Searches.", ToolKind.RETRIEVER)
DIRECTOR, RIVER, LAKE = (
    tool("get_director", "Who directed it."),
    tool("river_length", "Length."),
    tool("lakeDepth", "Depth."),
)
TOOLS = (SEARCH, DIRECTOR, RIVER, LAKE)


class Letters:
    """An encoder that counts letters, `?` among them so that no vector is zero."""

    identity, dimensions = "letters", 27

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz?"] for text in texts]
        vectors = np.array(rows, dtype=np.float32) + 1e-6
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def names(specs: Sequence[ToolSpec]) -> list[str]:
    return [spec.name for spec in specs]


def test_the_tools_that_share_words_are_kept_in_their_order() -> None:
    kept = shortlist(TOOLS, "depths of lakes and lengths of rivers", 2, bm25_ranking(TOOLS))
    assert names(kept) == ["retrieve_documents", "river_length", "lakeDepth"]


def test_retrievers_are_kept_beyond_the_number() -> None:
    assert names(shortlist(TOOLS, "directed", 1, bm25_ranking(TOOLS))) == ["retrieve_documents", "get_director"]


def test_enough_room_keeps_everything_unranked() -> None:
    assert shortlist(TOOLS, "", 3, bm25_ranking(())) == TOOLS


def test_without_a_shared_word_the_first_ones_are_kept() -> None:
    assert names(shortlist(TOOLS, "quux", 2, bm25_ranking(TOOLS)))[1:] == ["get_director", "river_length"]


def test_the_score_is_the_textbooks() -> None:
    specs = [ToolSpec("a", "river river", {}), ToolSpec("b", "lake", {})]
    # Words: "a river river" 3 and "b lake" 2, 2.5 on average; river stands in one of two tools, twice in the first.
    idf = math.log(1 + (2 - 1 + 0.5) / (1 + 0.5))
    expected = idf * 2 / (2 + 1.2 * (1 - 0.75 + 0.75 * 3 / 2.5))
    assert bm25_ranking(specs)("the river, River!") == pytest.approx({"a": expected, "b": 0.0})


def test_the_nearest_vectors_are_kept() -> None:
    ranking = dense_ranking(TOOLS, Letters())
    assert names(shortlist(TOOLS, tool_text(LAKE), 1, ranking)) == ["retrieve_documents", "lakeDepth"]
    assert ranking(tool_text(LAKE))["lakeDepth"] == pytest.approx(1.0, abs=1e-6)


def test_a_query_without_words_is_no_fault() -> None:
    assert len(dense_ranking(TOOLS, Letters())("123 \ud800")) == 3
    assert set(bm25_ranking(TOOLS)("\ud800 %").values()) == {0.0}


def test_a_tools_text_takes_names_apart_and_leaves_parameters_out() -> None:
    assert tool_text(LAKE) == "lake Depth\nDepth."


def test_a_task_is_asked_about_with_all_its_questions(two_turns: Task) -> None:
    lived = Task("t", "m3", "films", two_turns.turns)
    assert task_query(lived) == "Who directed Robbery?\nWhere was that person born?"
    earlier = Task("t", "m3", "films", two_turns.turns[1:], earlier=(Exchange("Who directed it?", "Jack Lee"),))
    assert task_query(earlier) == "Who directed it?\nWhere was that person born?"


def test_a_gold_tool_that_was_dropped_is_noticed(film_task: Task, film_tools) -> None:
    specs = [tool.spec for tool in film_tools]
    assert keeps_gold(film_task, specs)
    assert not keeps_gold(film_task, specs[1:])
