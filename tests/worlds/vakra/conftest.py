"""A library in VAKRA's format, of our own content: all four capabilities of one domain, laid out as published."""

from __future__ import annotations

import copy
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml

from agentbench.config.env import Granularity
from agentbench.config.source import VakraSource
from agentbench.config.tasks import Split
from agentbench.tasks.files import read_tasks
from agentbench.types import Task
from agentbench.worlds.manifest import World
from agentbench.worlds.vakra import prepare_vakra

LIBRARY = """
CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
CREATE TABLE books (id INTEGER PRIMARY KEY, author_id INTEGER, title TEXT, "Page Count" INTEGER, printed DATE);
INSERT INTO authors VALUES (1, 'Ana Brod', 'Peru'), (2, 'Ben Costa', 'Chad'), (3, 'Cy Drew', 'Peru');
INSERT INTO books VALUES (1, 1, 'Tidal Charts', 320, '2001-03-04'), (2, 1, 'Night Ferries', 210, '2010-07-01'),
    (3, 2, 'Salt Roads', 450, '1999-11-30'), (4, 3, 'Low Bridges', 150, '2010-01-15');
"""
POLICY = "For every question use only document retrievers. Do not use other types of tools."
DOCUMENTS = [
    {"doc_id": "d-1", "text": "Ben Costa was born in the town of Abeche."},
    {"doc_id": "d-2", "text": "Ana Brod keeps bees."},
]
BOOKS = {"original_table_name": "Books", "modified_table_name": "books"}
AUTHORS = {"original_table_name": "authors", "modified_table_name": "authors"}
JOINED = {
    "alias_to_table_dict": {"T1": BOOKS, "T2": AUTHORS},
    "condition_sequence": [["T1.author_id", "T2.id", "INNER"]],
    "database_path": "/somewhere/else.sqlite",
}
ALONE = {"alias_to_table_dict": {"": BOOKS}, "condition_sequence": []}
UNIVERSES = {
    "handles": {"domain": "library", "server_type": "slot_filling", "init_args": JOINED},
    "getters": {"domain": "library", "server_type": "selection", "init_args": ALONE},
}


def call(name: str, arguments: dict[str, Any], label: str = "") -> dict[str, Any]:
    return {"name": name, "arguments": arguments, **({"label": label} if label else {})}


START, PERU = "$starting_table_var.data_path$", "$FILTERED_DF_0.data_path$"
FROM_PERU = [
    call("initialize_active_data", JOINED, "starting_table_var"),
    call(
        "filter_data",
        {"data_source": START, "key_name": "authors_country", "value": "Peru", "condition": "equal_to"},
        "FILTERED_DF_0",
    ),
    call(
        "aggregate_data",
        {
            "data_source": PERU,
            "key_name": "BOOKS_ID",
            "distinct": False,
            "limit": -1,
            "aggregation_operation": "count",
        },
    ),
]
PAGES = {"data_label": "initial_books_1", "key_name": "books_Page_Count"}
BETWEEN = [
    call("get_data", {"tool_universe_id": "handles"}),
    call("aggregate_data", {**PAGES, "aggregation_operation": "max"}, "MAX"),
    call("aggregate_data", {**PAGES, "aggregation_operation": "min"}, "MIN"),
    call("Calculator", {"input_1": "$MAX$", "input_2": "$MIN$", "operation": "subtract"}),
]
IN_2010 = [
    call(
        "transform_data_to_datetime_part",
        {"data_label": "starting_table_var", "key_name": "printed", "datetime_pattern": "%Y"},
        "YEARS",
    ),
    call("select_data_equal_to", {"data_label": "YEARS", "key_name": "printed", "value": 2010}, "FILTERED_DF_0"),
    call("get_titles", {"data_source": "$FILTERED_DF_0$", "n": 2}),
]
AUTHOR = call("get_author_v1_library_author_get", {"title": "Salt Roads"})
BY = call("get_books", {"name": "Ben Costa", "least": "100"})
SEARCH = call("query_library", {"question": "Ben Costa born", "n_results": 10})


def turn(query: str, answer: Any) -> dict[str, Any]:
    return {"turn_id": 0, "query": query, "answer": answer}


LABELS = {
    "uuid": "labels",
    "domain": "library",
    "ground_truth": [
        {
            **turn("How many books are by authors from Peru?", ["3"]),
            "gold_sequence": [{"tool_call": FROM_PERU, "tool_response": ["3"]}],
        }
    ],
}
# The longest book has 450 pages, the shortest 150.
HANDLES = {
    "uuid": "handles",
    "domain": "library",
    "output": [
        {
            **turn("How many pages lie between the longest and the shortest book?", [[300]]),
            "sequence": {"tool_call": BETWEEN},
        }
    ],
}
GETTERS = {
    "uuid": "getters",
    "domain": "library",
    "ground_truth": [
        {
            **turn("Which books were printed in 2010?", [["Night Ferries"], ["Low Bridges"]]),
            "sequence": {"tool_call": [IN_2010]},
        }
    ],
}
REST = {
    "uuid": "rest",
    "domain": "library",
    "output": [{**turn("Who wrote Salt Roads?", [["Ben Costa"]]), "sequence": {"tool_call": [AUTHOR]}}],
}
HOPS = {
    "uuid": "hops",
    "domain": "library",
    "output": [
        {
            **turn("Which books are by the author of Salt Roads?", [["Salt Roads"]]),
            "sequence": [{"tool_call": AUTHOR}, {"tool_call": [BY]}],
        }
    ],
}
TURNS = [
    {"turn_id": 1, "query": "Who wrote Salt Roads?", "answer": [["Ben Costa"]]},
    {"turn_id": 2, "query": "Born where?"},
]
ASKED = {
    "uuid": "turns",
    "domain": "library",
    "num_turns": 2,
    "dialogue": {"turns": [orjson.dumps(item).decode() for item in TURNS]},
    "additional_instructions": POLICY,
}
SEARCHED = {"tool_call": [SEARCH], "gt_chunk": {"chunks": [{"text": DOCUMENTS[0]["text"], "chunk_id": 0}]}}
FOUND = {"uuid": "turns", "domain": "library", "output": [{**turn("Born where?", ["Abeche"]), "sequence": SEARCHED}]}


def operation(operation_id: str, /, **parameters: str) -> dict[str, Any]:
    listed = [
        {"name": key, "in": "query", "required": True, "schema": {"type": kind}} for key, kind in parameters.items()
    ]
    ok = {"200": {"description": "The values."}}
    return {"get": {"operationId": operation_id, "summary": "Looks up.", "parameters": listed, "responses": ok}}


OPENAPI = {
    "openapi": "3.1.0",
    "info": {"title": "All domains", "version": "1"},
    "paths": {
        "/v1/library/author": operation("get_author_v1_library_author_get", title="string"),
        "/v1/library/books": operation("get_books_v1_library_books_get", name="string", least="integer"),
        "/v1/library_2/author": operation("get_author_v1_library_2_author_get", title="string"),
    },
}
RECORDS: dict[str, list[dict[str, Any]]] = {
    "capability_1_bi_apis/output": [LABELS, HANDLES, GETTERS],
    "capability_2_dashboard_apis/output": [REST],
    "capability_3_multihop_reasoning/output": [HOPS],
    "capability_4_multiturn/input": [ASKED],
    "capability_4_multiturn/output": [FOUND],
}


class Library:
    """The folder of data, and the worlds made from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "databases/library/library.sqlite"
        self.said: list[str] = []

    def put(self, name: str, content: Any) -> None:
        """A file below the folder; records go to `capability_2_dashboard_apis/output` and the like by `records`."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else orjson.dumps(content))

    def records(self, place: str, records: list[dict[str, Any]]) -> None:
        """The library's records of one side of one capability."""
        self.put(f"test/{place}/library.json", records)

    def remove(self, pattern: str) -> None:
        """Takes files away."""
        for path in list(self.folder.glob(pattern)):
            path.unlink()

    def prepare(self, base_url: str = "http://127.0.0.1:9") -> World:
        """The library's world; what was reported stands in `said`."""
        self.said.clear()
        source = VakraSource(data_dir=self.folder, base_url=base_url)
        (world,) = prepare_vakra(source, self.folder.parent / "worlds", self.said.append)
        return world

    def tasks(self, world: World, *granularities: Granularity) -> dict[str, Task]:
        """A world's tasks by uuid, of some granularities or all."""
        files = [world.tasks(item.value, Split.TEST.value) for item in granularities or Granularity]
        return {task.data["uuid"]: task for path in files for task in read_tasks(path)}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    """All four capabilities."""
    made = Library(tmp_path / "data")
    for place, records in RECORDS.items():
        made.records(place, records)
    made.put("documents/library_docs.json", DOCUMENTS)
    made.put("openapi.json", OPENAPI)
    made.put("configs/mcp_tool_universe_id_mapping.yaml", yaml.safe_dump(UNIVERSES).encode())
    made.put("databases/library/library.sqlite", b"")
    with closing(sqlite3.connect(made.database)) as connection:
        connection.executescript(LIBRARY)
    return made


@pytest.fixture
def records() -> dict[str, list[dict[str, Any]]]:
    """The library's records by place, free to be changed."""
    return copy.deepcopy(RECORDS)
