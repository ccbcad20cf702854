from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agentbench.errors import RetrieverError, ToolError
from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document, Hit
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.types import ToolKind

METALS = (Document("iron", "Iron", "Iron rusts."), Document("zinc", "Zinc", "A metal that hardly rusts."))
PLAYS = (Document("rust", "", "Rust, a play in two acts."),)
COLLECTIONS = (Collection("metals", "What metals are like."), Collection("plays", "Plots of plays."))


@pytest.fixture(scope="module")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Tool:
    root = tmp_path_factory.mktemp("indexes")
    for name, documents in (("metals", METALS), ("plays", PLAYS), ("unused", PLAYS)):
        build_index(root / name, documents)
    retrievers = {name: Bm25Retriever(root / name) for name in ("metals", "plays", "unused")}
    return retrieve_documents_tool(retrievers, COLLECTIONS, 1)


def results(tool: Tool, **arguments: object) -> list[Any]:
    found: list[Any] = json.loads(asyncio.run(tool.call(arguments)).text)["results"]
    return found


def test_the_agent_is_told_which_collections_there_are(tool: Tool) -> None:
    assert tool.spec.kind is ToolKind.RETRIEVER
    assert tool.spec.parameters["properties"]["collection"]["enum"] == ["metals", "plays"]
    assert "- metals: What metals are like.\n- plays: Plots of plays." in tool.spec.description


def test_only_the_collection_asked_for_is_searched(tool: Tool) -> None:
    assert results(tool, collection="plays", query="rust") == [{"id": "rust", "text": "Rust, a play in two acts."}]


def test_a_title_is_added_only_where_the_text_does_not_begin_with_it(tool: Tool) -> None:
    assert results(tool, collection="metals", query="iron") == [{"id": "iron", "text": "Iron rusts."}]
    assert results(tool, collection="metals", query="hardly") == [
        {"id": "zinc", "title": "Zinc", "text": "A metal that hardly rusts."}
    ]


def test_top_k_bounds_the_results_and_nothing_found_is_an_empty_list(tool: Tool) -> None:
    assert len(results(tool, collection="metals", query="rusts")) == 1
    assert results(tool, collection="metals", query="opera") == []


def test_a_collection_that_is_not_offered_is_a_tool_error(tool: Tool) -> None:
    with pytest.raises(ToolError, match=r"no collection 'unused'\. There is: metals, plays"):
        results(tool, collection="unused", query="rust")


def test_a_missing_retriever_is_found_when_the_tool_is_made(tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="metals"):
        retrieve_documents_tool({}, COLLECTIONS, 1)


def test_an_agent_may_set_the_number_of_documents_where_that_is_exposed(tmp_path: Path) -> None:
    build_index(tmp_path / "index", METALS)
    tool = retrieve_documents_tool({"metals": Bm25Retriever(tmp_path / "index")}, COLLECTIONS[:1], 1, expose_top_k=True)
    schema = tool.spec.parameters["properties"]["top_k"]
    assert (schema["type"], schema["minimum"], schema["maximum"], schema["default"]) == ("integer", 1, 100, 1)
    assert "top_k" not in tool.spec.parameters["required"]
    assert [len(results(tool, collection="metals", query="rusts", **more)) for more in ({}, {"top_k": 2})] == [1, 2]
    # JSON Schema takes 2.0 for an integer
    assert len(results(tool, collection="metals", query="rusts", top_k=2.0)) == 2


def test_an_agent_cannot_set_it_otherwise(tool: Tool) -> None:
    assert set(tool.spec.parameters["properties"]) == {"collection", "query"}


class Dead:
    async def search(self, query: str, top_k: int) -> tuple[Hit, ...]:
        raise RetrieverError("the server is gone")


def test_a_dead_engine_is_no_message_for_the_agent() -> None:
    tool = retrieve_documents_tool({"metals": Dead(), "plays": Dead()}, COLLECTIONS, 1)
    with pytest.raises(RetrieverError, match="the server is gone"):
        results(tool, collection="metals", query="rust")
