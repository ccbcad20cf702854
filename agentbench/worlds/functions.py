"""The embedded function-calling set: questions about a small library of functions, written as xLAM's file is.

It is there for tests, for first steps, and for comparisons of methods on a model that is trained in minutes. It says
nothing of how well a model does on real data: its sentences come from few patterns, and held-out questions ask for the
same functions with other values.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import orjson

from agentbench.tasks.calls.types import read_type
from agentbench.types import ToolCall, record
from agentbench.worlds.function_library import LIBRARY, Ask, Function
from agentbench.worlds.function_values import POOLS, spoken

ROWS = 4000
MOST_OFFERED = 5
GENERATION = 1
"""Counts changes of the making that neither library nor seed shows; older files are not reused."""

_JOINTS = (" ", " Also: ", " And another thing: ", " After that: ")


@record
class Wanted:
    """Something that is asked for, in words and as a call."""

    text: str
    call: ToolCall


def functions_file(cache_dir: Path, seed: int) -> Path:
    """The set as a file of rows, written once for each library and seed."""
    made_from = [GENERATION, ROWS, seed, LIBRARY]
    name = hashlib.sha256(orjson.dumps(made_from)).hexdigest()[:12]
    path = cache_dir / "functions" / f"functions-{name}.json"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(orjson.dumps(list(rows(ROWS, seed)), option=orjson.OPT_APPEND_NEWLINE))
        draft.rename(path)
    return path


def rows(count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Rows in xLAM's format, no two with the same question."""
    rng = Random(f"functions {seed}")
    asked: set[str] = set()
    while len(asked) < count:
        wanted, functions = _request(rng)
        query = "".join(_joined(rng, wanted))
        if query not in asked:
            asked.add(query)
            yield _row(len(asked), query, [each.call for each in wanted], _offered(rng, functions))


def _request(rng: Random) -> tuple[list[Wanted], list[Function]]:
    """One call mostly; sometimes one function twice, sometimes two different ones."""
    kind = rng.random()
    first = rng.choice(LIBRARY)
    functions = [first] if kind < 0.6 else [first, first] if kind < 0.8 else rng.sample(LIBRARY, 2)
    return [_wanted(rng, function) for function in functions], list({each.name: each for each in functions}.values())


def _wanted(rng: Random, function: Function) -> Wanted:
    ask = rng.choice(function.asks)
    drawn = {each.name: POOLS[each.pool](rng) for each in function.parameters if f"{{{each.name}}}" in ask.text}
    drawn = _apart(rng, function, drawn)
    text = ask.text.format(**{name: spoken(value) for name, value in drawn.items()})
    return Wanted(text, ToolCall(function.name, _in_order(function, ask, drawn)))


def _apart(rng: Random, function: Function, drawn: dict[str, Any]) -> dict[str, Any]:
    """Values of which no two are the same: nobody travels from a city to itself."""
    pools = {each.name: each.pool for each in function.parameters}
    while len({repr(value) for value in drawn.values()}) < len(drawn):
        drawn = {name: POOLS[pools[name]](rng) for name in drawn}
    return drawn


def _in_order(function: Function, ask: Ask, drawn: dict[str, Any]) -> dict[str, Any]:
    given = {**drawn, **ask.fixed}
    return {each.name: given[each.name] for each in function.parameters if each.name in given}


def _joined(rng: Random, wanted: list[Wanted]) -> Iterator[str]:
    yield wanted[0].text
    for each in wanted[1:]:
        yield rng.choice(_JOINTS) + each.text


def _offered(rng: Random, needed: list[Function]) -> list[Function]:
    others = [each for each in LIBRARY if each not in needed]
    offered = [*needed, *rng.sample(others, rng.randint(0, MOST_OFFERED - len(needed)))]
    rng.shuffle(offered)
    return offered


def _row(number: int, query: str, calls: list[ToolCall], offered: list[Function]) -> dict[str, Any]:
    return {
        "id": number,
        "query": query,
        "answers": orjson.dumps(calls).decode(),
        "tools": orjson.dumps([_declared(each) for each in offered]).decode(),
    }


def _declared(function: Function) -> dict[str, Any]:
    parameters = {}
    for each in function.parameters:
        parameters[each.name] = {"description": each.description, "type": each.type}
        if read_type(each.type).optional and each.default is not None:
            parameters[each.name]["default"] = each.default
    return {"name": function.name, "description": function.description, "parameters": parameters}
