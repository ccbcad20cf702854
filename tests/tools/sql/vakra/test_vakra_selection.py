from __future__ import annotations

import json
from typing import Any

import pytest

from agentbench.errors import ToolError

OPEN = {"data_label": "initial_hero_1"}
CONDITIONS = ["equal_to", "not_equal_to", "greater_than", "less_than", "greater_than_equal_to", "less_than_equal_to"]
GENERIC = ["Calculator", "concatenate_data", "select_unique_values"]
GENERIC += [f"transform_data_to_{what}" for what in ("substring", "absolute_value", "datetime_part")]
GENERIC += ["truncate", *(f"select_data_{condition}" for condition in [*CONDITIONS, "contains", "like"])]
GENERIC += ["sort_data_ascending", "sort_data_descending"]
GENERIC += [f"compute_data_{figure}" for figure in ("min", "max", "sum", "mean", "count", "std", "argmin", "argmax")]
GETTERS = [f"get_hero_{key}s" for key in ("id", "name", "alias", "height", "born", "points")]


def test_the_tools_are_a_getter_for_each_column_and_26_others(selects: Any) -> None:
    assert list(selects.tools) == [*GETTERS, *GENERIC, "get_data"]
    assert len([*GENERIC, "get_data"]) == 26
    properties = {name: list(tool.spec.parameters["properties"]) for name, tool in selects.tools.items()}
    assert properties["select_data_like"] == ["data_label", "key_name", "value", "condition"]
    assert properties["transform_data_to_substring"] == ["data_label", "key_name", "start_index", "end_index"]
    assert properties["truncate"] == ["truncate_array", "n"]


def test_getters_give_all_values_bare_repeated_and_missing_ones_too(selects: Any) -> None:
    assert selects("get_hero_heights", **OPEN) == "[1.5, null, 2.0, 1.5, 3.0]"
    assert selects("get_hero_aliass", **OPEN) == '["A.T", null, "A-T", "CT", "D"]'


def test_a_getter_refuses_what_is_no_handle(selects: Any) -> None:
    with pytest.raises(ToolError, match="is no handle"):
        selects("get_hero_names", data_label="initial_hero_9")


def test_slots_stand_in_the_names_and_may_be_repeated(selects: Any) -> None:
    few = selects("select_data_less_than", **OPEN, key_name="hero_points", value=5, condition="less_than")
    assert json.loads(few)["num_records"] == 2
    down = selects("sort_data_descending", data_label="filtered_hero_1", key_name="hero_points", ascending=False)
    assert json.loads(down)["key_details"][0]["first_3_values"] == [5, 2]
    assert selects("compute_data_min", data_label="filtered_hero_1", key_name="hero_points") == "-3.0"
    assert selects("compute_data_count", data_label="filtered_hero_1") == "2"


def test_truncate_only_knows_lists_that_are_written_out(selects: Any) -> None:
    assert selects("truncate", truncate_array=["Dog", "Bee", "Ant"], n=2) == '["Dog", "Bee"]'
    schema = selects.tools["truncate"].spec.parameters["properties"]["truncate_array"]
    assert schema["type"] == "array"


def test_an_unknown_key_is_told_with_those_there_are(selects: Any) -> None:
    with pytest.raises(ToolError, match=r"invalid key_name \['Hero_Id'\]; keys of this table \('u1'\): \['hero_id'"):
        selects("sort_data_ascending", **OPEN, key_name="Hero_Id")


def test_transformations_have_their_tools(selects: Any) -> None:
    selects("transform_data_to_substring", **OPEN, key_name="hero_name", start_index=0, end_index=1)
    assert selects("get_hero_names", data_label="transformed_hero_1") == '["A", "B", "a", "C", "D"]'
    selects("transform_data_to_absolute_value", **OPEN, key_name="hero_points")
    assert selects("get_hero_pointss", data_label="transformed_hero_2") == "[5, 3, 5, 8, 0]"
    selects("transform_data_to_datetime_part", **OPEN, key_name="hero_born", datetime_pattern="%m")
    assert selects("get_hero_borns", data_label="transformed_hero_3") == '[2, 12, "unknown", null, 1]'
