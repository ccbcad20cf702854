"""Whatever a schema, its data and an agent hold, tools answer with JSON or a ToolError and the file stays as it is."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentbench.config.env import ToolContract
from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Endpoint, Universe

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
    if name in ("unique_array", "truncate_array"):
        return data.draw(st.lists(SCALARS | st.none(), max_size=4) | st.sampled_from([*handles, "x"]))
    if name == "key_name":
        several = st.lists(st.sampled_from(columns), max_size=3) if "array" in schema["type"] else st.nothing()
        return data.draw(st.sampled_from(columns) | TEXTS | several)
    if name.startswith("input_"):
        return data.draw(SCALARS | st.lists(st.integers() | st.floats() | st.none(), max_size=3) | st.integers(-3, 3))
    if name.startswith("data_label"):
        return data.draw(st.sampled_from([*handles, *handles, "x"]))
    if schema["type"] == "integer":
        return data.draw(WHOLE | st.integers(-3, 3))
    pattern = st.sampled_from(["%Y", "%d", "%", "(", "a|b", ".*", "x+x+"])
    return data.draw(st.booleans() if schema["type"] == "boolean" else SCALARS | pattern | st.sampled_from(handles))


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
        result = read(asyncio.run(tool.call(arguments)).text)
    except ToolError as error:
        assert "\n" not in str(error)
        assert not re.search("no such|syntax|ambiguous|bindings", str(error))  # these would be our statements' faults
        str(error).encode()
        return
    if isinstance(result, dict) and "handle" in result:
        handles.append(result["handle"])


def read(text: str) -> Any:
    """JSON, or what the released tools write for a figure that is none."""
    return None if text in ("nan", "inf", "-inf") else json.loads(text)


MAKERS = {"slot_filling": slot_filling_tools, "selection": selection_tools}


@pytest.mark.parametrize("contract", ToolContract)
@pytest.mark.parametrize("granularity", MAKERS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_any_chain_of_calls_over_any_table_gives_a_result_or_a_tool_error(
    granularity: str, contract: ToolContract, data: st.DataObject
) -> None:
    columns, rows = data.draw(tables())
    with opened(columns, rows) as (database, universe):
        tools = list(MAKERS[granularity](database, (universe,), 2, contract))
        get_data = next(tool for tool in tools if tool.spec.name == "get_data")
        handles = [read(asyncio.run(get_data.call({"tool_universe_id": "t"})).text)["handle"]]
        for _ in range(data.draw(st.integers(1, 8))):
            step(data, tools, handles, [name for name, _ in columns])


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_endpoint_over_any_table_gives_a_list_or_a_tool_error(data: st.DataObject) -> None:
    columns, rows = data.draw(tables())
    name, type_ = data.draw(st.sampled_from(columns))
    sql = f"SELECT {quoted(name)} FROM t WHERE {quoted(name)} {data.draw(st.sampled_from(COMPARISONS))} :p"
    endpoint = Endpoint("find", "Finds.", sql, {"p": {"type": JSON_TYPES[type_]}}, name)
    given_value = {"string": TEXTS, "integer": WHOLE, "number": st.integers() | st.floats()}[JSON_TYPES[type_]]
    with opened(columns, rows) as (database, _):
        (tool,) = rest_tools(database, (endpoint,), 2)
        with suppress(ToolError):
            result = json.loads(asyncio.run(tool.call({"p": data.draw(given_value)})).text)
            assert isinstance(result[name], list)
            assert len(result[name]) <= 2


@pytest.mark.parametrize("contract", ToolContract)
@settings(max_examples=25, deadline=None)
@given(texts=st.lists(st.sampled_from(HOSTILE[:-3]) | st.text(max_size=8), min_size=1, max_size=5, unique=True))
def test_hostile_texts_come_back_as_the_values_they_are(contract: ToolContract, texts: list[str]) -> None:
    texts = [text for text in texts if writable(text)] or ["'; DROP TABLE t; --"]
    with opened([("x", "TEXT")], [(text,) for text in texts]) as (database, universe):
        endpoint = Endpoint("find", "Finds.", 'SELECT "x" FROM t WHERE "x" = :p', {"p": {"type": "string"}}, "x")
        (find,) = rest_tools(database, (endpoint,), 5)
        tools = {tool.spec.name: tool for tool in selection_tools(database, (universe,), 5, contract)}
        start = read(asyncio.run(tools["get_data"].call({"tool_universe_id": "t"})).text)["handle"]
        for text in texts:
            assert json.loads(asyncio.run(find.call({"p": text})).text) == {"x": [text]}
            same = {"data_label": start, "key_name": "x", "value": text}
            handle = read(asyncio.run(tools["select_data_equal_to"].call(same)).text)["handle"]
            found = read(asyncio.run(tools["get_xs"].call({"data_label": handle})).text)
            assert found == ([text] if contract is ToolContract.VAKRA else {"x": [text]})


def writable(text: str) -> bool:
    """Whether a text can be stored at all: half of a surrogate pair cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM t RETURNING x",
        "INSERT INTO t VALUES (1) RETURNING x",
        "UPDATE t SET x = 2 RETURNING x",
        "ATTACH 'other' AS o",
        "PRAGMA writable_schema = 1",
        "CREATE TABLE u (y)",
        "DROP TABLE t",
        "BEGIN",
        "VACUUM INTO 'copy'",
        "SELECT load_extension('x')",
    ],
)
def test_statements_that_would_do_more_than_read_are_refused(sql: str) -> None:
    with opened([("x", "INTEGER")], [(1,)]) as (database, _):
        (tool,) = rest_tools(database, (Endpoint("do", "Does.", sql, {}, "x"),), 2)
        with pytest.raises(ToolError, match=r"not authorized|prohibited|authorization denied"):
            asyncio.run(tool.call({}))


COMPARISONS = ["=", "<>", "<", ">=", "LIKE"]
JSON_TYPES = {"TEXT": "string", "INTEGER": "integer", "REAL": "number"}
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
