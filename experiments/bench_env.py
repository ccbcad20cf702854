"""What does a tool call cost here, and what the way a peer makes it? CPU time of all processes that take part.

    python experiments/bench_env.py            (or: make bench-env)

One step of our environment, from the agent's action to its observation, against the same operation done on whole-table
dataframes (kept between calls, or handed on as plain columns: peers_way.py says how), the latter behind an MCP server
on stdio, and a REST endpoint behind an MCP server that makes an HTTP client for every call. All over a join of 5,000
rows, every call with arguments that were not used before, all ways taking turns in one run; ours also a second time, by
other episodes that ask the same. Ours includes checking arguments against their schema and remembering calls; the
others do without. Then: the start of a process up to its first observation over a prepared world, and the memory of 64
concurrent episodes.

Exit code 6 where a goal is missed.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import tracemalloc
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from mcp import Client, StdioServerParameters
from mcp.types import TextContent
from measuring import cpu_s, heading, spread
from peers_way import COLUMNS, JOIN, SHOWN_VALUES, TITLES, Kept, Passed

from agentbench.config.source import TaskCounts
from agentbench.envs.tool_env import ToolEnv
from agentbench.tools import Tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Column, Endpoint, Universe
from agentbench.types import Answer, AnswerType, CallTools, Gold, Outcome, Task, ToolCall, Turn
from agentbench.worlds.embedded import prepare_embedded

ROUNDS = 8
CALLS = 20
"""Calls timed together in each round."""
STARTS = 7
EPISODES = 64
GOAL_IN_PROCESS, GOAL_RELAY, GOAL_START_S = 10, 50, 1.0
"""Least ratios to tables handed on in process and to REST through MCP; most CPU seconds of a start."""

TASK = Task("bench", "m3", "films", (Turn("?", Gold(Answer(AnswerType.UNANSWERABLE))),))
UNIVERSE = Universe(
    "films_studios",
    "Films with their studios.",
    JOIN,
    tuple(Column(name, kind, name, f'"{table}"."{name}"') for name, (kind, table) in COLUMNS.items()),
)
TEXT = {"type": "string"}
ENDPOINT = Endpoint("get_titles", "Titles of films.", TITLES, {"director": TEXT, "country": TEXT}, "title")
COUNTRIES = ("France", "Japan", "Peru", "Kenya", "Norway")
PEERS = Path(__file__).with_name("peers_way.py")

Call = Callable[[], Awaitable[object]]
Ask = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Carries out an operation by name on a peer's tables."""
Times = dict[str, dict[str, list[float]]]
"""Milliseconds of CPU per call, by operation and way."""


class Operation(NamedTuple):
    """An operation, on a table that was filtered just before."""

    label: str
    name: str
    peer: dict[str, Any]
    """The peer's arguments beside the handle."""
    more: dict[str, Any]
    """What our tool wants beyond them."""


OPERATIONS = (
    Operation("get_data", "get_data", {}, {}),
    Operation("filter", "filter_data", {"key_name": "gross"}, {"condition": "greater_than"}),
    Operation("sort", "sort_data", {"key_name": "rating"}, {}),
    Operation("aggregate: mean", "aggregate_data", {"key_name": "rating"}, {"aggregation_operation": "mean"}),
    Operation("retrieve", "retrieve_data", {"key_name": "title"}, {}),
)
IN_PROCESS = ("filter", "sort", "aggregate: mean", "retrieve")
WAYS = ("ours", "again", "kept", "passed", "mcp")


def main() -> None:
    """Builds the data in a temporary folder, measures, prints."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "films.sqlite"
        _build_database(path)
        print(heading("python experiments/bench_env.py"))
        missed = asyncio.run(_calls(path))
        missed += _start(Path(folder))
        asyncio.run(_memory(path))
    print(f"\ngoals missed: {', '.join(missed)}" if missed else "\nall goals met")
    sys.exit(6 if missed else 0)


async def _calls(path: Path) -> list[str]:
    rng, database = random.Random(7), Database(path, 5.0)
    times: Times = defaultdict(lambda: defaultdict(list))
    async with AsyncExitStack() as stack:
        frames = await stack.enter_async_context(_mcp("frames", str(path)))
        url = await stack.enter_async_context(_rest_server(path))
        relay = await stack.enter_async_context(_mcp("relay", url))
        peers = {"kept": _in_process(Kept(str(path))), "passed": _in_process(Passed(str(path))), "mcp": frames}
        for number in range(ROUNDS + 2):
            found = [*await _round(database, peers, rng), *await _rest_round(database, relay, rng)]
            for label, way, milliseconds in found if number >= 2 else ():  # the first two warm up
                times[label][way].append(milliseconds)
    database.close()
    return _report(times)


async def _round(database: Database, peers: dict[str, Ask], rng: random.Random) -> list[tuple[str, str, float]]:
    found = []
    for operation in OPERATIONS:
        lows = [rng.random() for _ in range(CALLS)]
        for way in ("ours", "again"):  # the second time in new episodes, as in a group of episodes on one task
            found.append((operation.label, way, await _timed([await _ours(database, operation, low) for low in lows])))
        for way, ask in peers.items():
            found.append((operation.label, way, await _timed(await _peers(ask, operation, lows))))
    return found


async def _rest_round(database: Database, relay: Ask, rng: random.Random) -> list[tuple[str, str, float]]:
    asked = [{"director": f"Director {rng.randrange(900)}", "country": rng.choice(COUNTRIES)} for _ in range(CALLS)]
    ours = [await _episode(rest_tools(database, [ENDPOINT], SHOWN_VALUES)) for _ in asked]
    steps = [_step(env, "get_titles", arguments) for env, arguments in zip(ours, asked, strict=True)]
    hops = [_asking(relay, "get_titles", arguments) for arguments in asked]
    return [("REST endpoint", "ours", await _timed(steps)), ("REST endpoint", "mcp", await _timed(hops))]


async def _timed(calls: Sequence[Call]) -> float:
    start = cpu_s()
    for call in calls:
        await call()
    return (cpu_s() - start) * 1000 / len(calls)


async def _ours(database: Database, operation: Operation, low: float) -> Call:
    env = await _episode(slot_filling_tools(database, (UNIVERSE,), SHOWN_VALUES))
    opening = {"tool_universe_id": UNIVERSE.id}
    if operation.name == "get_data":
        return _step(env, "get_data", opening)
    bound = {"data_label": "films_studios_1", "key_name": "gross", "condition": "greater_than", "value": low}
    await _step(env, "get_data", opening)()
    if operation.name == "filter_data":
        return _step(env, "filter_data", {**bound, "value": low * 1e8})
    await _step(env, "filter_data", bound)()
    label = {"data_label": "filtered_films_studios_2"}
    return _step(env, operation.name, {**label, **operation.peer, **operation.more})


async def _episode(tools: Sequence[Tool]) -> ToolEnv:
    env = ToolEnv(tools, True)
    await env.reset(TASK)
    return env


def _step(env: ToolEnv, name: str, arguments: dict[str, Any]) -> Call:
    async def step() -> None:
        found = await env.step(CallTools((ToolCall(name, arguments),)))
        if found.observation.outcome is not Outcome.OK:
            raise RuntimeError(found.observation.text)

    return step


async def _peers(ask: Ask, operation: Operation, lows: Sequence[float]) -> list[Call]:
    if operation.name == "get_data":
        return [_asking(ask, "get_data", {}) for _ in lows]
    handle = (await ask("get_data", {}))["handle"]
    if operation.name == "filter_data":
        bounds = [{"data_label": handle, "key_name": "gross", "value": low * 1e8} for low in lows]
        return [_asking(ask, "filter_data", bound) for bound in bounds]
    calls = []
    for low in lows:
        filtered = await ask("filter_data", {"data_label": handle, "key_name": "gross", "value": low})
        calls.append(_asking(ask, operation.name, {"data_label": filtered["handle"], **operation.peer}))
    return calls


def _asking(ask: Ask, name: str, arguments: dict[str, Any]) -> Call:
    return lambda: ask(name, arguments)


def _in_process(tables: Kept) -> Ask:
    operations: dict[str, Callable[..., dict[str, Any]]] = {
        "get_data": tables.get_data,
        "filter_data": tables.filter_data,
        "sort_data": tables.sort_data,
        "aggregate_data": tables.aggregate_data,
        "retrieve_data": tables.retrieve_data,
    }

    async def ask(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return json.loads(json.dumps(operations[name](**arguments)))

    return ask


@asynccontextmanager
async def _mcp(kind: str, target: str) -> AsyncIterator[Ask]:
    """An MCP server of peers_way.py, by its tools."""
    parameters = StdioServerParameters(command=sys.executable, args=[str(PEERS), kind, target])
    async with Client(parameters) as client:

        async def ask(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
            result = await client.call_tool(name, arguments)
            match result.content:
                case [TextContent(text=text)] if not result.is_error:
                    return json.loads(text)
            raise RuntimeError(str(result))

        yield ask


@asynccontextmanager
async def _rest_server(path: Path) -> AsyncIterator[str]:
    command = [sys.executable, str(PEERS), "rest", str(path)]
    server = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(await server.stdout.readline())}"
    finally:
        server.terminate()
        await server.wait()


def _report(times: Times) -> list[str]:
    print(f"CPU ms per call, all processes: median (10th to 90th percentile) of {ROUNDS} rounds of {CALLS} calls\n")
    print(
        f"{'operation':<17}{'ours':<22}{'asked again':<22}{'dataframe kept':<22}{'table handed on':<22}over MCP stdio"
    )
    for operation in OPERATIONS:
        cells = [spread(times[operation.label][way]) for way in WAYS]
        print(f"{operation.label:<17}" + "".join(f"{cell:<25}" for cell in cells).rstrip())
        ratios = [_ratio(times, operation.label, way) for way in WAYS[2:]]
        print(f"{'':<67}" + "".join(f"{f'{ratio:.1f} x ours':<25}" for ratio in ratios).rstrip())
    rest = times["REST endpoint"]
    print(f"\nREST endpoint: ours {spread(rest['ours'])}, through MCP, a client per call {spread(rest['mcp'])}")
    print(f"               {_ratio(times, 'REST endpoint', 'mcp'):.0f} x ours (goal {GOAL_RELAY})")
    missed = [label for label in IN_PROCESS if _ratio(times, label, "passed") < GOAL_IN_PROCESS]
    too_close = _ratio(times, "REST endpoint", "mcp") < GOAL_RELAY
    return [f"{label} {GOAL_IN_PROCESS} x" for label in missed] + ([f"REST {GOAL_RELAY} x"] if too_close else [])


def _ratio(times: Times, label: str, way: str) -> float:
    return statistics.median(times[label][way]) / statistics.median(times[label]["ours"])


FIRST_OBSERVATION = """
import asyncio, sys
from pathlib import Path
from agentbench.envs.tool_env import ToolEnv
from agentbench.tools.retriever.bm25 import Bm25Retriever
from agentbench.tools.retriever.retrieve_documents import retrieve_documents_tool
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.types import Answer, AnswerType, CallTools, Gold, Task, ToolCall, Turn
from agentbench.worlds.manifest import read_world
world = read_world(Path(sys.argv[1]))
manifest = world.manifest
collection = manifest.collection
search = retrieve_documents_tool({collection.name: Bm25Retriever(world.index)}, [collection], 3)
env = ToolEnv((*rest_tools(Database(world.database, 2.0), manifest.endpoints, 20), search), True)
task = Task("t", "m3", manifest.name, (Turn("?", Gold(Answer(AnswerType.UNANSWERABLE))),))
asyncio.run(env.reset(task))
call = ToolCall("get_film_director", {"title": "Robbery"})
print(asyncio.run(env.step(CallTools((call,)))).observation.text)
"""


def _start(folder: Path) -> list[str]:
    """CPU seconds of a fresh process that opens the films world and carries out one call."""
    world = prepare_embedded("films", 0, TaskCounts(train=0, validation=0, test=10), folder, lambda line: None)
    seconds = []
    for _ in range(STARTS):
        before = _children_cpu_s()
        subprocess.run([sys.executable, "-c", FIRST_OBSERVATION, str(world.folder)], check=True, capture_output=True)
        seconds.append(_children_cpu_s() - before)
    print(
        f"\nstart of a process to its first observation, CPU s: {spread(seconds, 2)} of {STARTS} (goal {GOAL_START_S})"
    )
    return ["start of a world"] if statistics.median(seconds) >= GOAL_START_S else []


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def _memory(path: Path) -> None:
    """Memory of concurrent episodes that each hold five tables: handles stand for statements, not for rows."""
    database, rng = Database(path, 5.0), random.Random(3)
    await _five_tables(database, rng)  # what all episodes share is there before the first counts
    tracemalloc.start()
    episodes = [await _five_tables(database, rng) for _ in range(EPISODES)]
    held_kb = tracemalloc.get_traced_memory()[0] / 1e3
    tracemalloc.stop()
    database.close()
    print(f"memory of {len(episodes)} concurrent episodes with five tables of 5,000 rows each: {held_kb:,.0f} kB")


async def _five_tables(database: Database, rng: random.Random) -> ToolEnv:
    env = await _episode(slot_filling_tools(database, (UNIVERSE,), SHOWN_VALUES))
    await _step(env, "get_data", {"tool_universe_id": UNIVERSE.id})()
    for number in range(1, 5):
        label = f"{'filtered_' if number > 1 else ''}films_studios_{number}"
        bound = {"data_label": label, "key_name": "gross", "condition": "greater_than", "value": rng.random()}
        await _step(env, "filter_data", bound)()
    return env


def _build_database(path: Path) -> None:
    rng = random.Random(1)
    studios = [(i, f"Studio {i}", rng.choice(COUNTRIES), rng.randint(1900, 2000)) for i in range(300)]
    films = [
        (
            i,
            f"Film {i}",
            f"Director {rng.randrange(900)}",
            1950 + i % 71,
            rng.random() * 10,
            rng.random() * 1e8,
            i % 300,
        )
        for i in range(5000)
    ]
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE studios (id INTEGER PRIMARY KEY, studio TEXT, country TEXT, founded INT)")
    connection.execute(
        "CREATE TABLE films (id INTEGER PRIMARY KEY, title TEXT, director TEXT, year INT, rating REAL, gross REAL, "
        "studio_id INT REFERENCES studios (id))"
    )
    connection.execute("CREATE INDEX films_by_director ON films (director)")
    connection.executemany("INSERT INTO studios VALUES (?, ?, ?, ?)", studios)
    connection.executemany("INSERT INTO films VALUES (?, ?, ?, ?, ?, ?, ?)", films)
    connection.commit()
    connection.close()


if __name__ == "__main__":
    main()
