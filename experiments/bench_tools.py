"""What do our tools cost per call? CPU time in process, over a join of two tables that gives 5,000 rows.

    python experiments/bench_tools.py            (or: make bench-tools)

Every call has arguments the run has not used before, so no answer comes out of a cache; what an earlier step of the
same episode has counted is known, as in a real episode. Beside it, in the same interleaved run, the same operations
on a whole-table pandas dataframe, where pandas is installed. That is the common alternative: its aggregates are much
quicker, once the table is loaded (get_data) into the memory of every episode. REST and search have no counterpart.

No goal is set for telling many hundreds of different texts apart: SQLite sorts them, and takes a little over 1 ms.
"""

from __future__ import annotations

import importlib.util
import platform
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.tools import Tool
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import Bm25Retriever, build_index
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Endpoint, Universe

ROUNDS = 40
CALLS = 5
"""Calls timed together in each round."""
SHOWN_VALUES = 20
GOALS_MS = {
    "filter": 1.0,
    "sort": 1.0,
    "aggregate: mean": 1.0,
    "aggregate: max": 1.0,
    "aggregate: count": 1.0,
    "aggregate: std": 1.0,
    "aggregate: argmax": 1.0,
    "aggregate: count distinct, 71 values": 1.0,
    "retrieve": 1.0,
    "rest endpoint": 0.6,
}
JOIN = '"films" JOIN "studios" ON "films"."studio_id" = "studios"."id"'
COLUMNS = {
    "title": ("TEXT", "films"),
    "director": ("TEXT", "films"),
    "year": ("INTEGER", "films"),
    "rating": ("REAL", "films"),
    "gross": ("REAL", "films"),
    "studio": ("TEXT", "studios"),
    "country": ("TEXT", "studios"),
    "founded": ("INTEGER", "studios"),
}
UNIVERSE = Universe(
    "films_studios",
    "Films with their studios.",
    JOIN,
    tuple(Column(name, kind, name, f'"{table}"."{name}"') for name, (kind, table) in COLUMNS.items()),
)
ENDPOINT = Endpoint(
    "get_titles_by_director_and_country",
    "Titles of a director's films from a country's studios.",
    f'SELECT "films"."title" FROM {JOIN} WHERE "films"."director" = :director AND "studios"."country" = :country',
    {"director": {"type": "string"}, "country": {"type": "string"}},
    "title",
)

COUNTRIES = ("France", "Japan", "Peru", "Kenya", "Norway")
WORDS = tuple(
    f"{first}{second}" for first in ("sto", "ri", "val", "mo", "ken") for second in ("ne", "ver", "ley", "on")
)

Call = Callable[[], object]
Frame = Any
"""A pandas dataframe; pandas is optional here and not imported for its types."""


class Operation(NamedTuple):
    """One operation: a fresh zero-argument call for every measurement, ours and the dataframe's."""

    name: str
    ours: Callable[[], Call]
    frame: Callable[[], Call] | None


def main() -> None:
    """Builds the data in a temporary folder, measures, prints; exit code 6 where a goal is missed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        _build_database(path / "films.sqlite")
        build_index(path / "index", list(_documents()))
        operations = _operations(path)
        missed = _report(_measure(operations))
    sys.exit(6 if missed else 0)


def _measure(operations: list[Operation]) -> dict[str, tuple[list[float], list[float]]]:
    """CPU milliseconds per call of each round: ours and the dataframe's, taken in turns."""
    times: dict[str, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for round_number in range(ROUNDS + 2):
        for name, ours, frame in operations:
            mine = _cpu_ms([ours() for _ in range(CALLS)])
            theirs = _cpu_ms([frame() for _ in range(CALLS)]) if frame else None
            if round_number >= 2:  # the first two warm caches up
                times[name][0].append(mine)
                if theirs is not None:
                    times[name][1].append(theirs)
    return times


def _cpu_ms(calls: list[Call]) -> float:
    start = time.process_time()
    for call in calls:
        call()
    return (time.process_time() - start) * 1000 / len(calls)


def _operations(folder: Path) -> list[Operation]:
    database = Database(folder / "films.sqlite", 2.0)
    rng = random.Random(7)
    retriever = Bm25Retriever(folder / "index")
    search = retrieve_documents_tool({"plots": retriever}, [Collection("plots", "Plots of films.")], 3)
    (endpoint,) = rest_tools(database, [ENDPOINT], SHOWN_VALUES)
    ours = _handle_calls(database, rng)
    frame = _frame_calls(folder / "films.sqlite", rng) if importlib.util.find_spec("pandas") else {}

    def ask() -> Call:
        return _ready(endpoint, director=_director(rng), country=rng.choice(COUNTRIES))

    def look_up() -> Call:
        return _ready(search, collection="plots", query=" ".join(rng.choices(WORDS, k=8)))

    handles = [Operation(name, call, frame.get(name)) for name, call in ours.items()]
    return [
        *handles,
        Operation("rest endpoint", ask, None),
        Operation("retrieve_documents", look_up, None),
        Operation("tools of an episode", lambda: lambda: slot_filling_tools(database, (UNIVERSE,), SHOWN_VALUES), None),
    ]


def _handle_calls(database: Database, rng: random.Random) -> dict[str, Callable[[], Call]]:
    """Our handle operations by name, each on a table that was filtered just before."""

    def on_fresh_table(name: str, **arguments: object) -> Callable[[], Call]:
        def prepared() -> Call:
            tools = {tool.spec.name: tool for tool in slot_filling_tools(database, (UNIVERSE,), SHOWN_VALUES)}
            opened = _run(tools["get_data"], tool_universe_id=UNIVERSE.id)
            bounds = {"data_label": opened["handle"], "key_name": "gross", "condition": "greater_than"}
            low = rng.random()
            if name == "filter_data":
                return _ready(tools[name], **bounds, value=low * 1e8)
            nearly_all = _run(tools["filter_data"], **bounds, value=low)
            return _ready(tools[name], data_label=nearly_all["handle"], **arguments)

        return prepared

    def opening() -> Call:
        (get_data, *_) = slot_filling_tools(database, (UNIVERSE,), SHOWN_VALUES)
        return _ready(get_data, tool_universe_id=UNIVERSE.id)

    def getting() -> Call:
        tools = {tool.spec.name: tool for tool in selection_tools(database, (UNIVERSE,), SHOWN_VALUES)}
        opened = _run(tools["get_data"], tool_universe_id=UNIVERSE.id)
        some = {"data_label": opened["handle"], "key_name": "gross", "value": rng.random()}
        return _ready(tools["get_directors"], data_label=_run(tools["select_data_greater_than"], **some)["handle"])

    def figure(operation: str, key: str, **more: object) -> Callable[[], Call]:
        return on_fresh_table("aggregate_data", aggregation_operation=operation, key_name=key, **more)

    return {
        "get_data": opening,
        "filter": on_fresh_table("filter_data"),
        "sort": on_fresh_table("sort_data", key_name="rating"),
        "aggregate: mean": figure("mean", "rating"),
        "aggregate: max": figure("max", "rating"),
        "aggregate: count": figure("count", "rating"),
        "aggregate: std": figure("std", "rating"),
        "aggregate: argmax": figure("argmax", "gross"),
        "aggregate: count distinct, 71 values": figure("count", "year", distinct=True),
        "aggregate: count distinct, 900 texts": figure("count", "director", distinct=True),
        "retrieve": on_fresh_table("retrieve_data", key_name="title"),
        "getter, 900 distinct texts": getting,
    }


def _frame_calls(path: Path, rng: random.Random) -> dict[str, Callable[[], Call]]:
    import pandas

    selected = ", ".join(column.expression for column in UNIVERSE.columns)

    def load() -> Frame:
        connection = sqlite3.connect(path)
        frame = pandas.read_sql_query(f"SELECT {selected} FROM {JOIN}", connection)
        connection.close()
        return frame

    def peek(frame: Frame) -> bytes:
        details = [
            {"name": name, "dtype": str(frame[name].dtype), "first_3_values": frame[name].head(3).tolist()}
            for name in frame.columns
        ]
        return orjson.dumps({"handle": "h_1", "num_records": len(frame), "key_details": details})

    def on(call: Callable[[Frame, float], object]) -> Callable[[], Call]:
        def prepared() -> Call:
            low = rng.random()
            frame = table[table["gross"] > low]
            return lambda: call(frame, low)

        return prepared

    table = load()
    return {
        "get_data": lambda: lambda: peek(load()),
        "filter": on(lambda frame, low: peek(frame[frame["gross"] > low * 1e8])),
        "sort": on(lambda frame, low: peek(frame.sort_values("rating", ascending=False))),
        "aggregate: mean": on(lambda frame, low: orjson.dumps({"result": float(frame["rating"].mean())})),
        "aggregate: max": on(lambda frame, low: orjson.dumps({"result": float(frame["rating"].max())})),
        "aggregate: count": on(lambda frame, low: orjson.dumps({"result": int(frame["rating"].count())})),
        "aggregate: std": on(lambda frame, low: orjson.dumps({"result": float(frame["rating"].std())})),
        "aggregate: argmax": on(lambda frame, low: peek(frame[frame["gross"] == frame["gross"].max()])),
        "aggregate: count distinct, 71 values": on(lambda frame, low: frame["year"].nunique()),
        "aggregate: count distinct, 900 texts": on(lambda frame, low: frame["director"].nunique()),
        "retrieve": on(lambda frame, low: orjson.dumps({"title": frame["title"].head(SHOWN_VALUES).tolist()})),
        "getter, 900 distinct texts": on(lambda frame, low: frame["director"].drop_duplicates().head(3).tolist()),
    }


def _ready(tool: Tool, **arguments: object) -> Call:
    return lambda: _answer(tool, arguments)


def _run(tool: Tool, **arguments: object) -> dict[str, Any]:
    return orjson.loads(_answer(tool, arguments))


def _answer(tool: Tool, arguments: dict[str, Any]) -> str:
    """The tool's result without an event loop: tools over a small file never wait, so one step ends their coroutine."""
    try:
        tool.call(arguments).send(None)
    except StopIteration as finished:
        return finished.value.text
    raise RuntimeError(f"{tool.spec.name} waited")


def _director(rng: random.Random) -> str:
    return f"Director {rng.randrange(900)}"


def _build_database(path: Path) -> None:
    rng = random.Random(1)
    studios = [(i, f"Studio {i}", rng.choice(COUNTRIES), rng.randint(1900, 2000)) for i in range(300)]
    films = [
        (i, f"Film {i}", _director(rng), 1950 + i % 71, rng.randrange(1000) / 100, rng.random() * 1e8, i % 300)
        for i in range(5000)
    ]
    with sqlite3.connect(path) as connection:
        connection.execute(
            'CREATE TABLE "studios"("id" INTEGER PRIMARY KEY, "studio" TEXT, "country" TEXT, "founded" INT)'
        )
        connection.execute(
            'CREATE TABLE "films"("id" INTEGER PRIMARY KEY, "title" TEXT, "director" TEXT, "year" INT, "rating" REAL, '
            '"gross" REAL, "studio_id" INT REFERENCES "studios"("id"))'
        )
        connection.execute('CREATE INDEX "films_studio" ON "films"("studio_id")')
        connection.executemany("INSERT INTO studios VALUES (?, ?, ?, ?)", studios)
        connection.executemany("INSERT INTO films VALUES (?, ?, ?, ?, ?, ?, ?)", films)
    connection.close()


def _documents() -> Iterator[Document]:
    rng = random.Random(2)
    for i in range(2000):
        yield Document(f"plot_{i}", f"Film {i}", " ".join(rng.choices(WORDS, k=80)))


def _report(times: dict[str, tuple[list[float], list[float]]]) -> list[str]:
    """Prints the table; the operations that missed their goal."""
    print(f"command: python experiments/bench_tools.py   commit: {_commit()}")
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {platform.machine()}, 1 thread")
    print(f"CPU ms per call: median (10th to 90th percentile) of {ROUNDS} interleaved rounds of {CALLS} calls\n")
    print(f"{'operation':<38}{'goal':>6}  {'ours':<24}{'dataframe':<24}ratio")
    missed = []
    for name, (ours, frame) in times.items():
        goal = GOALS_MS.get(name)
        ratio = f"{statistics.median(ours) / statistics.median(frame):.2f}" if frame else ""
        print(f"{name:<38}{goal or '':>6}  {_spread(ours):<24}{_spread(frame):<24}{ratio}")
        if goal is not None and statistics.median(ours) > goal:
            missed.append(name)
    print(f"\ngoals missed: {', '.join(missed)}" if missed else "\nall goals met")
    return missed


def _spread(values: list[float]) -> str:
    if not values:
        return ""
    deciles = statistics.quantiles(values, n=10)
    return f"{statistics.median(values):.3f} ({deciles[0]:.3f} to {deciles[-1]:.3f})"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
