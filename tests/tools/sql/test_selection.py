from __future__ import annotations

from typing import Any

import pytest

from agentbench.errors import ToolError
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.spec import Column, Universe

CONDITIONS = ["equal_to", "not_equal_to", "greater_than", "less_than", "greater_than_equal_to"]
CONDITIONS += ["less_than_equal_to", "contains", "like"]
GENERIC = ["get_data", *(f"select_data_{condition}" for condition in CONDITIONS)]
GENERIC += ["sort_data_ascending", "sort_data_descending"]
GENERIC += [f"compute_data_{figure}" for figure in ("min", "max", "sum", "mean", "count", "std", "argmin", "argmax")]
GENERIC += [f"transform_data_to_{what}" for what in ("substring", "absolute_value", "datetime_part")]
GENERIC += ["truncate", "concatenate_data", "select_unique_values", "Calculator"]
COLUMNS = ["title", "director", "year", "rating", "premiere", "balance", "studio", "country"]
GETTERS = [f"get_{column}s" for column in COLUMNS]
TITLE = {"data_label": "films_1", "key_name": "title"}
BALANCE = {"data_label": "films_1", "key_name": "balance"}


def test_slots_stand_in_the_names_and_each_column_has_one_getter(selects: Any) -> None:
    assert list(selects.tools) == [*GENERIC, *GETTERS]
    properties = {name: list(tool.spec.parameters["properties"]) for name, tool in selects.tools.items()}
    assert properties["select_data_like"] == ["data_label", "key_name", "value"]
    assert properties["compute_data_mean"] == ["data_label", "key_name", "distinct"]
    assert properties["get_titles"] == ["data_label"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("contains", "li", 3),
        ("like", "%t", 2),
        ("equal_to", "Contact", 1),
        ("not_equal_to", "Contact", 4),
        ("greater_than", "Contact", 2),
        ("less_than", "Contact", 2),
        ("greater_than_equal_to", "Contact", 3),
        ("less_than_equal_to", "Contact", 3),
    ],
)
def test_each_condition_has_its_tool(selects: Any, name: str, value: str, found: int) -> None:
    # in order of code points: 100% _Solo_, Amélie, Contact, Delicatessen, Flight
    assert selects(f"select_data_{name}", **TITLE, value=value)["num_records"] == found


def test_each_figure_has_its_tool(selects: Any) -> None:
    figures = {name: selects(f"compute_data_{name}", **BALANCE)["result"] for name in ("min", "max", "sum", "count")}
    assert figures == {"min": -100, "max": 130, "sum": 166, "count": 5}
    assert selects("compute_data_mean", **BALANCE) == {"result": 33.2}  # 166 / 5
    # deviations from 33.2: 26.8, -37.2, 46.8, 96.8, -133.2; squares 718.24 + 1383.84 + 2190.24 + 9370.24 + 17742.24
    assert selects("compute_data_std", **BALANCE)["result"] == pytest.approx((31404.8 / 4) ** 0.5)


def test_the_first_records_after_sorting_are_the_top_ones(selects: Any) -> None:
    selects("sort_data_descending", **BALANCE)
    selects("truncate", truncate_array="sorted_films_2", n=2)
    assert selects("get_titles", data_label="truncated_films_3") == {"title": ["Flight", "Contact"]}
    assert selects("compute_data_sum", data_label="truncated_films_3", key_name="balance") == {"result": 210}


def test_conditions_on_a_truncated_table_only_see_its_records(selects: Any) -> None:
    selects("sort_data_ascending", **BALANCE)
    selects("truncate", truncate_array="sorted_films_2", n=2)
    late = {"data_label": "truncated_films_3", "key_name": "year", "value": 2000}
    assert selects("select_data_greater_than", **late)["num_records"] == 1
    selects("sort_data_descending", data_label="truncated_films_3", key_name="year")
    assert selects("get_titles", data_label="sorted_films_5") == {"title": ["100% _Solo_", "Delicatessen"]}


def test_the_extreme_records_can_be_read_by_getters(selects: Any) -> None:
    extreme = selects("compute_data_argmin", **BALANCE)["handle"]
    assert selects("get_directors", data_label=extreme) == {"director": ["Howard"]}


def test_a_getter_gives_different_values_and_a_handle_where_they_are_many(selects: Any) -> None:
    assert selects("get_directors", data_label="films_1") == {"director": ["Jeunet", "Zemeckis", "Howard"]}
    listed = selects("get_titles", data_label="films_1")
    assert (listed["handle"], listed["num_records"]) == ("title_values_2", 5)
    with pytest.raises(ToolError, match=r"films_1 has no column 'studio'\. There is: title, director"):
        selects("get_studios", data_label="films_1")


def test_transformations_have_their_tools(selects: Any) -> None:
    selects("transform_data_to_substring", **TITLE, start_index=0, end_index=2)
    selects("transform_data_to_absolute_value", **BALANCE)
    selects("transform_data_to_datetime_part", data_label="films_1", key_name="premiere", datetime_pattern="%m")
    assert selects("compute_data_max", data_label="transformed_films_2", key_name="title") == {"result": "Fl"}
    assert selects("compute_data_min", data_label="transformed_films_3", key_name="balance") == {"result": 4}
    assert selects("compute_data_max", data_label="transformed_films_4", key_name="premiere") == {"result": 10}


def test_odd_column_names_get_usable_getters_that_are_not_mistaken_for_other_tools(database: Database) -> None:
    names = ("data", "Box Office ($)", "国", "a-b", "a b", "x" * 100)
    columns = tuple(Column(name, "TEXT", "some text", '"films"."title"') for name in names)
    tools = selection_tools(database, (Universe("films", "Films.", '"films"', columns),), 3)
    getters = [tool.spec.name for tool in tools][len(GENERIC) :]
    assert getters == ["get_datas", "get_Box_Offices", "get_e59bbds", "get_a_bs", "get_" + "x" * 59 + "s"]


def test_arrays_and_whole_tables_are_truncated_alike(selects: Any) -> None:
    assert selects("truncate", truncate_array=["b", "a", None], n=2) == {"truncated_values": ["b", "a"]}
    assert selects("truncate", truncate_array="films_1", n=0)["num_records"] == 0
