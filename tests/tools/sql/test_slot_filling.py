from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agentbench.errors import PreflightError, ToolError
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Universe


def details(peek: dict[str, Any], key: str) -> dict[str, Any]:
    return next(column for column in peek["key_details"] if column["name"] == key)


def titles(slots: Any, handle: str) -> list[str]:
    values: list[str] = slots("retrieve_data", data_label=handle, key_name="title")["title"]
    return values


def test_the_tools_have_the_names_and_arguments_users_know(slots: Any) -> None:
    assert {name: list(tool.spec.parameters["properties"]) for name, tool in slots.tools.items()} == {
        "get_data": ["tool_universe_id"],
        "filter_data": ["data_label", "key_name", "value", "condition"],
        "sort_data": ["data_label", "key_name", "ascending"],
        "aggregate_data": ["data_label", "aggregation_operation", "key_name", "distinct", "limit"],
        "retrieve_data": ["data_label", "key_name", "distinct", "limit"],
        "transform_data": ["data_label", "key_name", "operation_type", "operation_args"],
        "concatenate_data": ["data_label_1", "data_label_2"],
        "select_unique_values": ["unique_array"],
        "Calculator": ["input_1", "input_2", "operation"],
    }


def test_opening_a_table_gives_a_peek(slots: Any) -> None:
    peek = slots("get_data", tool_universe_id="films_studios")
    assert (peek["handle"], peek["num_records"], len(peek["key_details"])) == ("films_studios_2", 5, 8)
    assert details(peek, "title") == {
        "name": "title",
        "dtype": "string",
        "first_3_values": ["Amélie", "Delicatessen", "Contact"],
    }
    assert [details(peek, key)["dtype"] for key in ("year", "rating")] == ["integer", "number"]


@pytest.mark.parametrize(
    ("key", "condition", "value", "found"),
    [
        ("year", "equal_to", 1997, ["Contact"]),
        ("year", "equal_to", "1997", ["Contact"]),
        ("director", "not_equal_to", "Jeunet", ["Contact", "Flight", "100% _Solo_"]),
        ("rating", "greater_than", 7.5, ["Amélie"]),
        ("rating", "less_than", 7.5, ["100% _Solo_"]),
        ("year", "greater_than_equal_to", 2001, ["Amélie", "Flight", "100% _Solo_"]),
        ("rating", "less_than_equal_to", "7.5", ["Delicatessen", "Contact", "100% _Solo_"]),
        ("rating", "not_equal_to", 7.5, ["Amélie", "100% _Solo_"]),  # Flight has no rating and meets no condition
        ("title", "contains", "LI", ["Amélie", "Delicatessen", "Flight"]),
        ("title", "contains", "% _", ["100% _Solo_"]),
        ("title", "contains", "_", ["100% _Solo_"]),
        ("title", "like", "C%t", ["Contact"]),
        ("title", "like", "_light", ["Flight"]),
        ("year", "contains", 19, ["Delicatessen", "Contact"]),
        ("title", "equal_to", "' OR 1=1 --", []),
        ("title", "contains", "\\", []),
    ],
)
def test_each_condition_keeps_the_right_records(
    slots: Any, key: str, condition: str, value: Any, found: list[str]
) -> None:
    peek = slots("filter_data", data_label="films_1", key_name=key, value=value, condition=condition)
    assert (peek["handle"], peek["num_records"]) == ("filtered_films_2", len(found))
    assert titles(slots, peek["handle"]) == found


def test_filters_add_up_and_an_empty_table_can_be_filtered_on(slots: Any) -> None:
    slots("filter_data", data_label="films_1", key_name="year", value=2050, condition="greater_than")
    again = slots("filter_data", data_label="filtered_films_2", key_name="title", value="A", condition="contains")
    assert (again["handle"], again["num_records"]) == ("filtered_films_3", 0)
    assert details(again, "title")["first_3_values"] == []


def test_sorting_goes_down_unless_asked_and_puts_missing_values_last(slots: Any) -> None:
    down = slots("sort_data", data_label="films_1", key_name="rating")
    up = slots("sort_data", data_label="films_1", key_name="rating", ascending=True)
    assert details(down, "rating")["first_3_values"] == [8.0, 7.5, 7.5]
    assert details(up, "rating")["first_3_values"] == [7.0, 7.5, 7.5]
    last = slots("retrieve_data", data_label=up["handle"], key_name="rating", limit=3)
    assert last == {"rating": [7.0, 7.5, 7.5]}


def test_records_that_tie_keep_the_order_of_an_earlier_sort(slots: Any) -> None:
    by_title = slots("sort_data", data_label="films_1", key_name="title", ascending=True)
    both = slots("sort_data", data_label=by_title["handle"], key_name="rating")
    assert details(both, "title")["first_3_values"] == ["Amélie", "Contact", "Delicatessen"]


@pytest.mark.parametrize(
    ("operation", "key", "result"),
    [
        ("min", "rating", 7.0),
        ("max", "title", "Flight"),
        ("sum", "balance", 166),  # 60 - 4 + 80 + 130 - 100
        ("mean", "rating", 7.5),  # (8 + 7.5 + 7.5 + 7) / 4
        ("count", "rating", 4),
        ("std", "rating", (0.5 / 3) ** 0.5),  # deviations 0.5, 0, 0, -0.5: squares sum to 0.5, over n - 1 = 3
    ],
)
def test_each_aggregation_gives_its_figure(slots: Any, operation: str, key: str, result: Any) -> None:
    got = slots("aggregate_data", data_label="films_1", aggregation_operation=operation, key_name=key)["result"]
    assert got == (pytest.approx(result, rel=1e-12) if operation == "std" else result)


def test_argmax_and_argmin_give_the_records_ties_included(slots: Any) -> None:
    best = slots("aggregate_data", data_label="films_1", aggregation_operation="argmax", key_name="balance")
    assert (best["handle"], titles(slots, best["handle"])) == ("argmax_films_2", ["Flight"])
    since = slots("filter_data", data_label="films_1", key_name="rating", value=7, condition="greater_than")
    least = slots("aggregate_data", data_label=since["handle"], aggregation_operation="argmin", key_name="rating")
    assert titles(slots, least["handle"]) == ["Delicatessen", "Contact"]


def test_argmax_with_a_limit_only_looks_at_the_first_records(slots: Any) -> None:
    by_year = slots("sort_data", data_label="films_1", key_name="year", ascending=True)
    among = {"data_label": by_year["handle"], "key_name": "balance", "limit": 2}
    best = slots("aggregate_data", **among, aggregation_operation="argmax")
    assert titles(slots, best["handle"]) == ["Contact"]  # of Delicatessen (-4) and Contact (80)


def test_distinct_and_limit_choose_what_is_aggregated(slots: Any) -> None:
    def figure(operation: str, **more: Any) -> Any:
        return slots("aggregate_data", data_label="films_1", aggregation_operation=operation, **more)["result"]

    assert figure("count", key_name="director", distinct=True) == 3
    assert figure("mean", key_name="rating", distinct=True) == pytest.approx(7.5)  # 8, 7.5, 7
    assert figure("sum", key_name="balance", limit=2) == 56  # 60 - 4
    assert figure("std", key_name="year", limit=2) == pytest.approx(50**0.5)  # 2001 and 1991: 5² + 5² over 1
    assert figure("sum", key_name="balance", distinct=True, limit=3) == 136  # 60 - 4 + 80


def test_figures_of_an_empty_table_are_zero_or_missing(slots: Any) -> None:
    empty = slots("filter_data", data_label="films_1", key_name="year", value=0, condition="less_than")["handle"]
    figures = {
        name: slots("aggregate_data", data_label=empty, aggregation_operation=name, key_name="rating")["result"]
        for name in ("count", "sum", "min", "mean", "std")
    }
    assert figures == {"count": 0, "sum": 0, "min": None, "mean": None, "std": None}
    nothing = slots("aggregate_data", data_label=empty, aggregation_operation="argmax", key_name="rating")
    assert nothing["num_records"] == 0


def test_std_keeps_its_precision_far_from_zero(slots: Any) -> None:
    # 1991, 1997, 2001, 2012, 2018: mean 2003.8, squared deviations 163.84 + 46.24 + 7.84 + 67.24 + 201.64 = 486.8
    got = slots("aggregate_data", data_label="films_1", aggregation_operation="std", key_name="year")["result"]
    assert got == pytest.approx((486.8 / 4) ** 0.5, rel=1e-12)


def test_a_short_list_is_shown_in_full_and_a_long_one_as_a_handle(slots: Any) -> None:
    assert slots("retrieve_data", data_label="films_1", key_name="director", distinct=True) == {
        "director": ["Jeunet", "Zemeckis", "Howard"]
    }
    assert slots("retrieve_data", data_label="films_1", key_name="director") == {
        "handle": "director_values_2",
        "num_records": 5,
        "key_details": [{"name": "director", "dtype": "string", "first_3_values": ["Jeunet", "Jeunet", "Zemeckis"]}],
    }
    assert slots("select_unique_values", unique_array="director_values_2") == {
        "director": ["Jeunet", "Zemeckis", "Howard"]
    }


def test_lists_keep_the_order_of_the_table_and_missing_values_unless_distinct(slots: Any) -> None:
    slots("sort_data", data_label="films_1", key_name="balance")
    ordered = {"data_label": "sorted_films_2", "key_name": "rating"}
    assert slots("retrieve_data", **ordered, limit=3) == {"rating": [None, 7.5, 8.0]}  # Flight, Contact, Amélie
    assert slots("retrieve_data", **ordered, distinct=True) == {"rating": [7.5, 8.0, 7.0]}
    assert slots("retrieve_data", **ordered, distinct=True, limit=1) == {"rating": [7.5]}


def test_a_long_list_can_be_sorted_filtered_and_aggregated(slots: Any) -> None:
    listed = slots("retrieve_data", data_label="films_1", key_name="title")["handle"]
    slots("sort_data", data_label=listed, key_name="title", ascending=True)
    assert slots("retrieve_data", data_label="sorted_title_values_3", key_name="title", limit=1) == {
        "title": ["100% _Solo_"]
    }
    count = {"data_label": listed, "key_name": "title", "aggregation_operation": "count"}
    assert slots("aggregate_data", **count) == {"result": 5}


@pytest.mark.parametrize(
    ("key", "operation", "options", "values"),
    [
        ("title", "substring", {"start_index": 0, "end_index": 3}, ["Amé", "Del", "Con"]),
        ("title", "substring", {"start_index": 4}, ["ie", "catessen", "act"]),
        ("title", "substring", {"start_index": 3, "end_index": 1}, ["", "", ""]),
        ("balance", "abs", {}, [60, 4, 80]),
        ("premiere", "datetime", {"pattern": "%Y"}, [2001, 1991, 1997]),
        ("premiere", "datetime", {"pattern": "%w"}, [3, 3, 5]),  # two Wednesdays and a Friday, Sunday being 0
    ],
)
def test_each_transformation_replaces_the_column(
    slots: Any, key: str, operation: str, options: Any, values: Any
) -> None:
    peek = slots("transform_data", data_label="films_1", key_name=key, operation_type=operation, operation_args=options)
    assert (peek["handle"], peek["num_records"]) == ("transformed_films_2", 5)
    assert details(peek, key)["first_3_values"] == values


def test_what_is_no_date_has_no_parts(slots: Any) -> None:
    year = {"operation_type": "datetime", "operation_args": {"pattern": "%H"}}
    slots("transform_data", data_label="films_1", key_name="premiere", **year)
    slots("filter_data", data_label="transformed_films_2", key_name="premiere", value=20, condition="equal_to")
    assert titles(slots, "filtered_films_3") == ["Flight"]
    names = slots("transform_data", data_label="films_1", key_name="title", **year)
    assert details(names, "title")["first_3_values"] == [None, None, None]


def test_a_transformed_column_is_filtered_sorted_and_told_apart_by_its_new_values(slots: Any) -> None:
    cut = {"operation_type": "substring", "operation_args": {"end_index": 1}}
    slots("transform_data", data_label="films_1", key_name="director", **cut)
    unique = {"data_label": "transformed_films_2", "key_name": "director", "distinct": True}
    assert slots("retrieve_data", **unique) == {"director": ["J", "Z", "H"]}
    slots("sort_data", data_label="transformed_films_2", key_name="director", ascending=True)
    assert slots("retrieve_data", **{**unique, "data_label": "sorted_films_3"}) == {"director": ["H", "J", "Z"]}
    slots("filter_data", data_label="sorted_films_3", key_name="director", value="Z", condition="equal_to")
    assert titles(slots, "filtered_films_4") == ["Contact", "Flight"]


def test_a_sort_made_before_a_transformation_still_holds_inside_a_limit(slots: Any) -> None:
    slots("sort_data", data_label="films_1", key_name="title", ascending=True)
    cut = {"operation_type": "substring", "operation_args": {"start_index": 3}}
    slots("transform_data", data_label="sorted_films_2", key_name="title", **cut)
    first_two = {"data_label": "transformed_films_3", "key_name": "title", "limit": 2, "aggregation_operation": "max"}
    # by full titles the first two are "100% _Solo_" and "Amélie", cut to "% _Solo_" and "lie"
    assert slots("aggregate_data", **first_two) == {"result": "lie"}


def test_two_tables_are_put_one_after_the_other(slots: Any) -> None:
    slots("filter_data", data_label="films_1", key_name="year", value=2012, condition="greater_than")
    slots("filter_data", data_label="films_1", key_name="year", value=1995, condition="less_than")
    both = slots("concatenate_data", data_label_1="filtered_films_2", data_label_2="filtered_films_3")
    assert (both["handle"], titles(slots, both["handle"])) == (
        "concatenated_films_4",
        ["100% _Solo_", "Delicatessen"],
    )


def test_lists_of_different_names_are_put_one_after_the_other(slots: Any) -> None:
    slots("retrieve_data", data_label="films_1", key_name="director")
    slots("retrieve_data", data_label="films_1", key_name="title")
    both = slots("concatenate_data", data_label_1="director_values_2", data_label_2="title_values_3")
    assert both["num_records"] == 10
    assert [column["name"] for column in both["key_details"]] == ["director"]


def test_an_array_is_made_unique_in_order(slots: Any) -> None:
    given = ["b", "a", "b", 1, True, 1, None]
    assert slots("select_unique_values", unique_array=given) == {"unique_values": ["b", "a", 1, True, None]}


def test_a_list_handle_of_one_number_counts_as_that_number(slots: Any) -> None:
    slots("retrieve_data", data_label="films_1", key_name="balance")
    slots("filter_data", data_label="balance_values_2", key_name="balance", value=60, condition="equal_to")
    half = {"input_1": "filtered_balance_values_3", "input_2": "-8", "operation": "divide"}
    assert slots("Calculator", **half) == {"result": -7.5}
    assert slots("Calculator", input_1=2, input_2=0.5, operation="multiply") == {"result": 1.0}


@pytest.mark.parametrize(
    ("name", "arguments", "problem"),
    [
        (
            "filter_data",
            {"key_name": "titel", "value": 1, "condition": "like"},
            "no column 'titel'; did you mean 'title'?",
        ),
        (
            "filter_data",
            {"key_name": "year", "value": "new", "condition": "equal_to"},
            "'year' holds numbers and 'new'",
        ),
        ("sort_data", {"data_label": "film_1", "key_name": "year"}, "no handle 'film_1'; did you mean 'films_1'?"),
        ("aggregate_data", {"key_name": "title", "aggregation_operation": "mean"}, "'title' holds text and mean needs"),
        ("transform_data", {"key_name": "title", "operation_type": "abs"}, "'title' holds text and abs needs numbers"),
        ("transform_data", {"key_name": "premiere", "operation_type": "datetime"}, "needs operation_args"),
        ("retrieve_data", {"key_name": "zzz"}, "There is: title, director, year, rating, premiere, balance"),
    ],
)
def test_misuse_says_what_is_wrong_and_what_there_is(slots: Any, name: str, arguments: Any, problem: str) -> None:
    with pytest.raises(ToolError) as caught:
        slots(name, **{"data_label": "films_1", **arguments})
    assert problem in str(caught.value)


def test_handles_of_the_wrong_sort_are_refused(slots: Any) -> None:
    with pytest.raises(ToolError, match="films_1 is a table of 6 columns and a list is wanted"):
        slots("select_unique_values", unique_array="films_1")
    with pytest.raises(ToolError, match="films_1 is a table"):
        slots("Calculator", input_1="films_1", input_2=1, operation="add")
    slots("retrieve_data", data_label="films_1", key_name="year")
    with pytest.raises(ToolError, match="year_values_2 holds 5 values and one number is wanted"):
        slots("Calculator", input_1="year_values_2", input_2=1, operation="add")
    with pytest.raises(ToolError, match=r"different columns \(balance, director"):
        slots("concatenate_data", data_label_1="films_1", data_label_2="year_values_2")


def test_handles_belong_to_one_episode(database: Database, universes: Any, slots: Any) -> None:
    other = {tool.spec.name: tool for tool in slot_filling_tools(database, universes, 3)}
    slots.tools["sort_data"] = other["sort_data"]
    with pytest.raises(ToolError, match="none was made yet, start with get_data"):
        slots("sort_data", data_label="films_1", key_name="year")


def test_declarations_are_made_once_for_all_episodes(database: Database, universes: Any) -> None:
    first, second = (slot_filling_tools(database, universes, 3) for _ in range(2))
    assert all(one.spec is other.spec for one, other in zip(first, second, strict=True))


def test_doubling_a_table_again_and_again_ends_in_a_tool_error(slots: Any) -> None:
    def double_forever() -> None:
        handle = "films_1"
        for _ in range(40):
            handle = slots("concatenate_data", data_label_1=handle, data_label_2=handle)["handle"]

    with pytest.raises(ToolError, match="too many steps"):
        double_forever()


def test_a_column_of_an_unknown_type_is_found_before_the_first_episode(database: Database) -> None:
    odd = Universe("films", "Films.", '"films"', (Column("title", "STRING", "", '"films"."title"'),))
    with pytest.raises(PreflightError, match="column 'title': type 'STRING' is none of TEXT, INTEGER, REAL"):
        slot_filling_tools(database, (odd,), 3)


def test_missing_values_are_found_by_null(slots: Any) -> None:
    missing = {"data_label": "films_1", "key_name": "rating", "value": None}
    assert titles(slots, slots("filter_data", **missing, condition="equal_to")["handle"]) == ["Flight"]
    assert slots("filter_data", **missing, condition="not_equal_to")["num_records"] == 4
    with pytest.raises(ToolError, match="less_than needs a value; null goes with equal_to and not_equal_to"):
        slots("filter_data", **missing, condition="less_than")


def test_an_empty_key_counts_records_and_a_limit_of_minus_one_is_none(slots: Any) -> None:
    count = {"data_label": "films_1", "aggregation_operation": "count"}
    assert slots("aggregate_data", **count, key_name="", limit=-1) == {"result": 5}
    assert slots("aggregate_data", **count, key_name="", limit=2) == {"result": 2}
    assert slots("aggregate_data", **count, key_name="rating", limit=-1) == {"result": 4}
    with pytest.raises(ToolError, match="no column ''"):
        slots("aggregate_data", data_label="films_1", aggregation_operation="max", key_name="")


@pytest.mark.parametrize(
    ("first", "second", "operation", "result"),
    [
        ([1, 2, 3], 2, "multiply", [2, 4, 6]),
        (6, ["2", 4], "divide", [3.0, 1.5]),
        ([6, 8], [3, -4], "divide", [2.0, -2.0]),
    ],
)
def test_arrays_are_calculated_entry_by_entry(
    slots: Any, first: Any, second: Any, operation: str, result: list[float]
) -> None:
    assert slots("Calculator", input_1=first, input_2=second, operation=operation) == {"result": result}


def test_arrays_of_different_lengths_are_refused(slots: Any) -> None:
    with pytest.raises(ToolError, match="arrays of 2 and 3 entries do not go together"):
        slots("Calculator", input_1=[1, 2], input_2=[1, 2, 3], operation="add")


def test_the_only_universe_need_not_be_named(database: Database, universes: Any) -> None:
    (get_data, *_) = slot_filling_tools(database, universes[:1], 3)
    assert json.loads(asyncio.run(get_data.call({})).text)["handle"] == "films_1"
    assert get_data.spec.parameters["required"] == []
