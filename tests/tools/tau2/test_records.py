"""Records that episodes share."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentbench.errors import ToolError
from agentbench.tools.tau2.arithmetic import calculate
from agentbench.tools.tau2.records import Records
from agentbench.tools.tau2.world import World

BASE = {"cups": {"a": {"n": 1, "tags": ["old"]}, "b": {"n": 2, "tags": []}}}
EDITS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3)))


def edited(records: Records, edits: list[tuple[str, int]]) -> Records:
    for key, number in edits:
        if records.find("cups", key) is None:
            records.put("cups", key, {"n": number, "tags": []})
        else:
            records.edit("cups", key)["n"] = number
    return records


@given(EDITS, EDITS, EDITS)
def test_neither_a_fork_nor_the_base_sees_what_is_changed_elsewhere(
    before: list[tuple[str, int]], here: list[tuple[str, int]], there: list[tuple[str, int]]
) -> None:
    base = copy.deepcopy(BASE)
    first = edited(Records(base), before)
    second = first.fork()
    edited(first, here)
    edited(second, there)
    assert dict(first.each("cups")) == dict(edited(Records(BASE), before + here).each("cups"))
    assert dict(second.each("cups")) == dict(edited(Records(BASE), before + there).each("cups"))
    assert base == BASE


@given(EDITS, EDITS)
def test_views_have_the_same_changes_exactly_if_they_show_the_same(
    ours: list[tuple[str, int]], theirs: list[tuple[str, int]]
) -> None:
    first, second = edited(Records(BASE), ours), edited(Records(BASE), theirs)
    same = dict(first.each("cups")) == dict(second.each("cups"))
    assert (first.changes() == second.changes()) is same


def test_an_edit_that_is_taken_back_is_no_change() -> None:
    records = edited(Records(BASE), [("a", 7), ("a", 1)])
    assert records.changes() == {}


@pytest.mark.parametrize(
    ("expression", "value"), [("2 + 3 * 4", "14.0"), ("(1.5 - 2) / -4", "0.12"), ("54.04 - 41.64", "12.4")]
)
def test_arithmetic_is_worked_out_to_the_cent(expression: str, value: str) -> None:
    assert calculate(World(Records({}), Records({})), expression) == value


@pytest.mark.parametrize("expression", ["__import__('os')", "2 ** 9", "1 / 0", "one", "(" * 300, "1" * 501, ""])
def test_what_is_no_plain_arithmetic_is_refused(expression: str) -> None:
    with pytest.raises(ToolError):
        calculate(World(Records({}), Records({})), expression)
