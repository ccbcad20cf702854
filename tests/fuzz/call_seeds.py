"""Calls of every granularity, in the order of an episode: what the targets of tools begin from."""

from __future__ import annotations

from typing import Any

Json = Any

_TABLE = {"data_label": "films_1", "key_name": "title"}
CALLS: dict[str, tuple[Json, ...]] = {
    "rest": (
        [["get_director", {"title": "Contact"}], ["get_titles_since", {"year": 2000}]],
        [["retrieve_documents", {"collection": "films", "query": "oil film", "top_k": 2}]],
    ),
    "slot_filling": (
        [
            ["get_data", {"tool_universe_id": "films"}],
            ["filter_data", {**_TABLE, "value": "a", "condition": "contains"}],
            ["sort_data", {"data_label": "films_1", "key_name": "year", "ascending": True}],
            [
                "aggregate_data",
                {"data_label": "films_1", "key_name": "year", "aggregation_operation": "std", "limit": 2},
            ],
            ["retrieve_data", {**_TABLE, "distinct": True, "limit": 2}],
            ["transform_data", {**_TABLE, "operation_type": "substring", "operation_args": {"start_index": 1}}],
        ],
        [
            ["get_data", {"tool_universe_id": "films"}],
            [
                "transform_data",
                {
                    "data_label": "films_1",
                    "key_name": "premiere",
                    "operation_type": "datetime",
                    "operation_args": {"pattern": "%Y"},
                },
            ],
            ["concatenate_data", {"data_label_1": "films_1", "data_label_2": "films_1"}],
            ["select_unique_values", {"unique_array": [1, 1, "a", None]}],
            ["calculator", {"operation": "power", "input_1": 2, "input_2": 9}],
        ],
    ),
    "selection": (
        [
            ["get_data", {"tool_universe_id": "films"}],
            ["select_data_like", {**_TABLE, "value": "A%"}],
            ["sort_data_descending", {"data_label": "films_1", "key_name": "year"}],
            ["compute_data_argmax", {"data_label": "films_1", "key_name": "rating", "distinct": False}],
            [
                "transform_data_to_datetime_part",
                {"data_label": "films_1", "key_name": "premiere", "datetime_pattern": "%Y"},
            ],
            ["truncate", {"truncate_array": "films_1", "n": 2}],
            ["get_titles", {"data_label": "films_1"}],
        ],
    ),
    "vakra_slots": (
        [
            [
                "filter_data",
                {"data_label": "initial_data_1", "key_name": "title", "value": "a", "condition": "contains"},
            ],
            ["sort_data", {"data_label": "initial_data_1", "key_name": "year", "ascending": True}],
            ["aggregate_data", {"data_label": "initial_data_1", "key_name": "year", "aggregation_operation": "std"}],
            ["retrieve_data", {"data_label": "initial_data_1", "key_name": "title", "distinct": True, "limit": 2}],
        ],
    ),
    "vakra_selects": (
        [
            ["select_data_like", {"data_label": "initial_data_1", "key_name": "title", "value": "A%"}],
            ["compute_data_max", {"data_label": "initial_data_1", "key_name": "rating"}],
            ["truncate", {"truncate_array": [1, 2, 3], "n": 2}],
            ["get_titles", {"data_label": "initial_data_1"}],
        ],
    ),
}
