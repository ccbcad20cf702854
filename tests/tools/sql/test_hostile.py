"""Whatever a schema, its data and an agent hold, tools answer with JSON or a ToolError and the file stays as it is."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Universe

HOSTILE = ["'; DROP TABLE t; --", '" OR 1=1 --', "%", "_", "\\", "\x00", "\ud800", "NaN", "-0", "?", ":a", "{}", "'"]
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=8)
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=8)
CELLS = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.binary(max_size=4)
CELLS |= st.text(st.characters(codec="utf-8"), max_size=8)
WHOLE = st.integers(0, 10**30) | st.sampled_from([0.0, 1.0, 3.0])
SCALARS = TEXTS | st.integers() | st.floats() | st.booleans()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[tuple[str, str]], list[tuple[Any, ...]]]:
    """Columns as names and types, and rows that do not care about the types."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.casefold))
    types = [draw(st.sampled_from(["TEXT", "INTEGER", "REAL"])) for _ in names]
    rows = draw(st.lists(st.tuples(*[CELLS for _ in names]), max_size=6))
    return list(zip(names, types, strict=True)), rows


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


@contextmanager
def opened(columns: list[tuple[str, str]], rows: list[tuple[Any, ...]]) -> Iterator[tuple[Database, Universe]]:
    """A database of one table; afterwards its folder must hold the same bytes and nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.sqlite"
        universe = build(path, columns, rows)
        before = path.read_bytes()
        database = Database(path, 5.0)
        yield database, universe
        database.close()
        assert path.read_bytes() == before
        assert [entry.name for entry in Path(folder).iterdir()] == ["t.sqlite"]


def build(path: Path, columns: list[tuple[str, str]], rows: list[tuple[Any, ...]]) -> Universe:
    declared = ", ".join(f"{quoted(name)} {type_}" for name, type_ in columns)
    connection = sqlite3.connect(path)
    connection.execute(f"CREATE TABLE t ({declared})")
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' for _ in columns)})", rows)
    connection.commit()
    connection.close()
    fields = tuple(Column(name, type_, "", f'"t".{quoted(name)}') for name, type_ in columns)
    return Universe("t", "", '"t"', fields)


def argument(data: st.DataObject, name: str, schema: dict[str, Any], handles: list[str], columns: list[str]) -> Any:
    """A value the schema allows, likely to get past the first checks."""
    if "enum" in schema:
        return data.draw(st.sampled_from(schema["enum"]))
    if name == "operation_args":
        parts = {key: argument(data, key, value, handles, columns) for key, value in schema["properties"].items()}
        return {key: value for key, value in parts.items() if data.draw(st.booleans())}
    if name == "unique_array":
        return data.draw(st.sampled_from([*handles, "x"]) | st.lists(SCALARS | st.none(), max_size=4))
    if name == "key_name":
        return data.draw(st.sampled_from(columns) | TEXTS)
    if name.startswith("data_label"):
        return data.draw(st.sampled_from([*handles, *handles, "x"]))
    if schema["type"] == "integer":
        return data.draw(WHOLE) + schema["minimum"]
    return data.draw(st.booleans() if schema["type"] == "boolean" else SCALARS | st.sampled_from([*handles, 1]))


def step(data: st.DataObject, tools: list[Tool], handles: list[str], columns: list[str]) -> None:
    """One random call the schema allows; a new handle is remembered."""
    tool = data.draw(st.sampled_from(tools))
    properties = tool.spec.parameters["properties"]
    arguments = {name: argument(data, name, schema, handles, columns) for name, schema in properties.items()}
    required = tool.spec.parameters["required"]
    arguments = {name: value for name, value in arguments.items() if name in required or data.draw(st.booleans())}
    if not jsonschema.Draft202012Validator(tool.spec.parameters).is_valid(arguments):
        return
    try:
        result = json.loads(asyncio.run(tool.call(arguments)).text)
    except ToolError as error:
        assert "\n" not in str(error)
        assert not re.search("no such|syntax|ambiguous|bindings", str(error))  # these would be our statements' faults
        str(error).encode()
        return
    if "handle" in result:
        handles.append(result["handle"])


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_chain_of_calls_over_any_table_gives_json_or_a_tool_error(data: st.DataObject) -> None:
    columns, rows = data.draw(tables())
    make = data.draw(st.sampled_from([slot_filling_tools, selection_tools]))
    with opened(columns, rows) as (database, universe):
        tools = list(make(database, (universe,), 2))
        asyncio.run(tools[0].call({"tool_universe_id": "t"}))
        handles = ["t_1"]
        for _ in range(data.draw(st.integers(1, 8))):
            step(data, tools, handles, [name for name, _ in columns])


COMPARE = {
    "equal_to": lambda cell, value: cell == value,
    "not_equal_to": lambda cell, value: cell != value,
    "greater_than": lambda cell, value: cell > value,
    "less_than_equal_to": lambda cell, value: cell <= value,
}


INTEGERS = st.lists(st.none() | st.integers(-5, 5), max_size=12)


def play(cells: list[int | None], calls: list[tuple[str, dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """The results of slot_filling calls on a table of one column `x`, open as `t_1`."""
    with opened([("x", "INTEGER")], [(cell,) for cell in cells]) as (database, universe):
        tools = {tool.spec.name: tool for tool in slot_filling_tools(database, (universe,), 12)}
        asyncio.run(tools["get_data"].call({"tool_universe_id": "t"}))
        for name, arguments in calls:
            yield json.loads(asyncio.run(tools[name].call({"key_name": "x", **arguments})).text)


@settings(max_examples=60, deadline=None)
@given(INTEGERS, st.sampled_from(list(COMPARE)), st.integers(-5, 5))
def test_filters_keep_what_plain_python_keeps(cells: list[int | None], condition: str, value: int) -> None:
    kept = [cell for cell in cells if cell is not None and COMPARE[condition](cell, value)]
    keep = ("filter_data", {"data_label": "t_1", "value": value, "condition": condition})
    peek, listed = play(cells, [keep, ("retrieve_data", {"data_label": "filtered_t_2"})])
    assert peek["num_records"] == len(kept)
    assert listed == {"x": kept}


@settings(max_examples=60, deadline=None)
@given(INTEGERS, st.booleans())
def test_sorted_lists_and_their_different_values_are_plain_pythons(cells: list[int | None], ascending: bool) -> None:
    present = sorted((cell for cell in cells if cell is not None), reverse=not ascending)
    sort = ("sort_data", {"data_label": "t_1", "ascending": ascending})
    get = {"data_label": "sorted_t_2"}
    _, listed, unique = play(cells, [sort, ("retrieve_data", get), ("retrieve_data", {**get, "distinct": True})])
    assert listed == {"x": present + [None] * (len(cells) - len(present))}
    assert unique == {"x": list(dict.fromkeys(present))}
