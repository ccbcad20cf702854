"""Labels, handles and older words in gold chains."""

from __future__ import annotations

from typing import Any

import pytest

from agentbench.tasks.vakra.dialect import Tools
from agentbench.tasks.vakra.gold import chain, searches
from agentbench.tasks.vakra.records import VakraCall
from agentbench.types import ToolCall

TOOLS = Tools("u-1", ["books_title", "books_Page_Count"], {"get_books_titles", "filter_data"})
OPEN = VakraCall("get_data", {}, "DATA")


def last(*calls: VakraCall) -> ToolCall:
    return chain(calls, TOOLS)[-1].calls[0]


def test_a_chain_without_get_data_gets_one() -> None:
    first, second = chain((VakraCall("sort_data", {"data_label": "starting_table_var"}),), TOOLS)
    assert first.calls == (ToolCall("get_data", {"tool_universe_id": "u-1"}),)
    assert second.calls == (ToolCall("sort_data", {"data_label": "$var_1.handle$"}),)


WAYS = {
    "label with a path": "$DATA.data_path$",
    "label in dollars": "$DATA$",
    "bare label": "DATA",
    "handle of get_data": "initial_books_1",
    "handle as the dataset's own example has it": "retrieved_data_1",
}


@pytest.mark.parametrize("said", WAYS.values(), ids=WAYS)
def test_every_way_to_name_a_table_becomes_its_handle(said: str) -> None:
    assert last(OPEN, VakraCall("sort_data", {"data_label": said})).arguments == {"data_label": "$var_1.handle$"}


def test_a_handle_counts_the_steps_of_its_kind() -> None:
    first, second = VakraCall("filter_data", {"data_label": "DATA"}), VakraCall("filter_data", {"data_label": "DATA"})
    both = {"data_label_1": "filtered_books_1", "data_label_2": "filtered_books_2"}
    call = last(OPEN, first, second, VakraCall("concatenate_data", both))
    assert call.arguments == {"data_label_1": "$var_2.handle$", "data_label_2": "$var_3.handle$"}


def test_the_latest_of_two_equal_labels_holds() -> None:
    calls = [VakraCall("filter_data", {"data_label": "DATA"}, "DF") for _ in range(2)]
    assert last(OPEN, *calls, VakraCall("sort_data", {"data_label": "DF"})).arguments == {
        "data_label": "$var_3.handle$"
    }


def test_a_name_that_nothing_explains_stays() -> None:
    assert last(OPEN, VakraCall("sort_data", {"data_label": "DF_9"})).arguments == {"data_label": "DF_9"}


def test_a_value_that_happens_to_be_a_label_is_a_value() -> None:
    assert last(OPEN, VakraCall("filter_data", {"value": "DATA"})).arguments == {"value": "DATA"}


RESULTS = {
    "a figure": (VakraCall("aggregate_data", {"aggregation_operation": "max"}, "X"), "$var_2.result$"),
    "rows of the largest": (VakraCall("aggregate_data", {"aggregation_operation": "argmax"}, "X"), "$var_2.handle$"),
    "a figure by name": (VakraCall("compute_data_sum", {}, "X"), "$var_2.result$"),
    "a column's first value": (VakraCall("retrieve_data", {"key_name": "books_title"}, "X"), "$var_2.books_title.0$"),
    "a getter's first value": (VakraCall("get_books_titles", {}, "X"), "$var_2.books_title.0$"),
    "a calculation": (VakraCall("Calculator", {}, "X"), "$var_2.result$"),
}


@pytest.mark.parametrize(("call", "expected"), RESULTS.values(), ids=RESULTS)
def test_a_number_is_read_where_the_tool_puts_it(call: VakraCall, expected: str) -> None:
    assert last(OPEN, call, VakraCall("Calculator", {"input_1": "$X$"})).arguments == {"input_1": expected}


def test_a_list_goes_whole_where_one_is_wanted() -> None:
    got = VakraCall("retrieve_data", {"key_name": "books_title"}, "X")
    call = last(OPEN, got, VakraCall("select_unique_values", {"unique_array": "X"}))
    assert call.arguments == {"unique_array": "$var_2.books_title$"}


WORDS: dict[str, tuple[VakraCall, dict[str, Any]]] = {
    "data_source": (VakraCall("filter_data", {"data_source": "a"}), {"data_label": "a"}),
    "another column's capitals": (VakraCall("f", {"key_name": "BOOKS_TITLE"}), {"key_name": "books_title"}),
    "all rows": (VakraCall("aggregate_data", {"key_name": "*"}), {"key_name": ""}),
    "no end": (VakraCall("f", {"start_index": 2, "end_index": -1}), {"start_index": 2}),
    "no end inside": (VakraCall("f", {"operation_args": {"end_index": -1}}), {"operation_args": {}}),
    "nothing said": (VakraCall("f", {"ranking_array": None}), {}),
    "a missing value is said": (VakraCall("f", {"value": None}), {"value": None}),
    "one column in a list": (VakraCall("retrieve_data", {"key_name": ["books_title"]}), {"key_name": "books_title"}),
    "a table to cut": (VakraCall("truncate", {"data_source": "a", "n": 2}), {"truncate_array": "a", "n": 2}),
}


@pytest.mark.parametrize(("call", "expected"), WORDS.values(), ids=WORDS)
def test_older_words_become_ours(call: VakraCall, expected: dict[str, Any]) -> None:
    assert last(OPEN, call).arguments == expected


def test_columns_retrieved_together_are_retrieved_one_by_one() -> None:
    calls = chain((OPEN, VakraCall("retrieve_data", {"key_name": ["books_title", "books_page_count"]})), TOOLS)
    assert [action.calls[0].arguments for action in calls[1:]] == [
        {"key_name": "books_title"},
        {"key_name": "books_Page_Count"},
    ]


@pytest.mark.parametrize("name", ["retriever_clapnq_library", "query_library"])
def test_a_search_asks_the_domains_collection(name: str) -> None:
    (action,) = searches([VakraCall(name, {"question": "bees"})], "Who keeps bees?", "library")
    assert action.calls == (ToolCall("retrieve_documents", {"collection": "library", "query": "bees"}),)


def test_a_search_without_words_asks_what_the_user_asked() -> None:
    (action,) = searches([VakraCall("query_library", {"query": "NONE"})], "Who keeps bees?", "library")
    assert action.calls[0].arguments["query"] == "Who keeps bees?"
