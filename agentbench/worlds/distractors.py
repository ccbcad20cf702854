"""API tools that nobody asks for: working endpoints over columns of the same database, and other worlds' endpoints.

Each view of the database is asked for every column by other columns, for counts and for figures, except for what one
of the world's own endpoints gives by the same columns. They are as good as any tool: an agent may well reach an answer
with one of them by another way than the gold's, and is not wrong to. Progress and step categories count gold calls.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, islice, zip_longest
from typing import Any, NamedTuple

from agentbench.tools import Tool
from agentbench.tools.sql.spec import Column, Endpoint, Universe
from agentbench.worlds.manifest import Manifest
from agentbench.worlds.names import noun, slug

LONGEST_NAME = 64
"""Longest tool name that model servers accept."""

_JSON_TYPES = {"TEXT": "string", "INTEGER": "integer", "REAL": "number"}
_FIGURES = {"mean": "ROUND(AVG({}), 2)", "total": "SUM({})", "highest": "MAX({})", "lowest": "MIN({})"}


class Distractor(NamedTuple):
    """An endpoint and the world whose database answers it."""

    world: str
    endpoint: Endpoint


def distractors(
    own: Manifest, others: Sequence[Manifest], count: int, *, taken: Iterable[str], seed: int
) -> tuple[Distractor, ...]:
    """`count` distractors of a world, fewer only where there are no more; of a larger count, the first are the same.

    Columns of the world's own database and endpoints of the others take turns. No name is one of `taken`: names of the
    tools they will stand beside. Universes are enough to make them from, so worlds without endpoints have some too.
    """
    rng = random.Random(f"{seed}/{own.name}")
    streams = [
        (Distractor(own.name, endpoint) for endpoint in distractor_endpoints(own, seed)),
        *(_shuffled(other, rng) for other in others),
    ]
    return tuple(islice(_new(_in_turns(streams), set(taken)), count))


def distractor_endpoints(manifest: Manifest, seed: int) -> Iterator[Endpoint]:
    """Endpoints over a world's database that differ from the world's own, without end of practical interest.

    They are made one by one, kinds and views taking turns; the same manifest and seed give the same ones.
    """
    known = {_gives(endpoint) for endpoint in manifest.endpoints}
    rng = random.Random(f"{seed}/{manifest.name}/columns")
    shapes = [shape for universe in manifest.universes for shape in _shapes(universe, rng)]
    given: set[tuple[str, str]] = set()
    for endpoint in _in_turns(shapes):
        asked = (endpoint.name, endpoint.sql)
        if _gives(endpoint) not in known and asked not in given:
            given.add(asked)
            yield endpoint


def mixed(tools: Sequence[Tool], seed: int) -> tuple[Tool, ...]:
    """The tools in an order that tells nothing about them: of the same tools always the same."""
    return tuple(sorted(tools, key=lambda tool: hashlib.sha256(f"{seed}/{tool.spec.name}".encode()).digest()))


def _new(found: Iterable[Distractor], taken: set[str]) -> Iterator[Distractor]:
    for item in found:
        if item.endpoint.name not in taken:
            taken.add(item.endpoint.name)
            yield item


def _shuffled(manifest: Manifest, rng: random.Random) -> Iterator[Distractor]:
    endpoints = rng.sample(manifest.endpoints, len(manifest.endpoints))
    return (Distractor(manifest.name, endpoint) for endpoint in endpoints)


def _in_turns(streams: Iterable[Iterable[Any]]) -> Iterator[Any]:
    for group in zip_longest(*streams):
        yield from (item for item in group if item is not None)


def _gives(endpoint: Endpoint) -> tuple[str, frozenset[str]]:
    return endpoint.key, frozenset(endpoint.parameters)


def _shapes(universe: Universe, rng: random.Random) -> tuple[Iterator[Endpoint], ...]:
    """The kinds of question about a view, each in a random order of columns."""
    usable = {slug(column.name): column for column in universe.columns if column.type in _JSON_TYPES}
    columns = rng.sample(list(usable.values()), len(usable))
    numbers = [column for column in columns if column.type != "TEXT"]
    return (
        (_listing(universe, target, by) for target, by in _asked(columns, columns, 1)),
        (_figure(universe, word, target, by) for word in _FIGURES for target, by in _asked(numbers, columns, 1)),
        (_counting(universe, by) for size in (1, 2, 3) for by in combinations(columns, size)),
        (_listing(universe, target, by) for target, by in _asked(columns, columns, 2)),
        (_figure(universe, word, target, by) for word in _FIGURES for target, by in _asked(numbers, columns, 2)),
    )


def _asked(
    targets: Sequence[Column], columns: Sequence[Column], size: int
) -> Iterator[tuple[Column, tuple[Column, ...]]]:
    for by in combinations(columns, size):
        yield from ((target, by) for target in targets if target not in by)


def _listing(universe: Universe, target: Column, by: tuple[Column, ...]) -> Endpoint:
    name, said = slug(target.name), target.expression
    sql = f"SELECT DISTINCT {said} FROM {universe.source} WHERE {_where(by)} AND {said} IS NOT NULL ORDER BY {said}"
    words = f"Each {noun(name)} found among the {noun(slug(universe.id))} {_given(by)}."
    return _endpoint(f"list_{slug(universe.id)}_{name}", words, sql, by=by, key=name)


def _counting(universe: Universe, by: tuple[Column, ...]) -> Endpoint:
    sql = f"SELECT COUNT(*) FROM {universe.source} WHERE {_where(by)}"
    words = f"The number of {noun(slug(universe.id))} {_given(by)}."
    return _endpoint(f"number_of_{slug(universe.id)}", words, sql, by=by, key="count")


def _figure(universe: Universe, word: str, target: Column, by: tuple[Column, ...]) -> Endpoint:
    name = slug(target.name)
    sql = f"SELECT {_FIGURES[word].format(target.expression)} FROM {universe.source} WHERE {_where(by)}"
    words = f"The {word} {noun(name)} over all {noun(slug(universe.id))} {_given(by)}."
    return _endpoint(f"{word}_{slug(universe.id)}_{name}", words, sql, by=by, key=f"{word}_{name}")


def _endpoint(beginning: str, description: str, sql: str, *, by: tuple[Column, ...], key: str) -> Endpoint:
    name = f"{beginning}_by_{'_and_'.join(slug(column.name) for column in by)}"
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 9]}_{hashlib.sha256(sql.encode()).hexdigest()[:8]}"
    parameters = {
        slug(column.name): {"type": _JSON_TYPES[column.type], "description": column.description} for column in by
    }
    return Endpoint(name, description, sql, parameters, key)


def _where(by: tuple[Column, ...]) -> str:
    return " AND ".join(f"{column.expression} = :{slug(column.name)}" for column in by)


def _given(by: tuple[Column, ...]) -> str:
    return f"with a given {' and '.join(noun(slug(column.name)) for column in by)}"
