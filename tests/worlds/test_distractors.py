"""Endpoints nobody asks for: that they work, are new, and are always the same."""

from __future__ import annotations

import asyncio
import json
import re
from itertools import islice

from agentbench.tools.sql.database import Database
from agentbench.tools.sql.rest import rest_tools
from agentbench.tools.sql.spec import Column, Endpoint, Universe
from agentbench.worlds.distractors import Distractor, distractor_endpoints, distractors, mixed
from agentbench.worlds.manifest import Manifest, World

COLUMNS = (Column("name", "TEXT", "The name", '"t"."name"'), Column("size", "INTEGER", "The size", '"t"."size"'))


def manifest(name: str, *endpoints: Endpoint, columns: tuple[Column, ...] = COLUMNS) -> Manifest:
    universe = Universe("things", "Things.", '"t"', columns)
    return Manifest(name, "", "", "", "", endpoints, (universe,), None, "")


def own(name: str, key: str, *parameters: str) -> Endpoint:
    return Endpoint(name, "", "SELECT 1", {parameter: {} for parameter in parameters}, key)


def found(world: Manifest, *others: Manifest, count: int = 100, taken: tuple[str, ...] = ()) -> tuple[Distractor, ...]:
    return distractors(world, others, count, taken=taken, seed=0)


def test_each_column_is_asked_for_by_each_other() -> None:
    names = {item.endpoint.name for item in found(manifest("small"))}
    # Two columns, one of them a number: two listings, four figures of the number by the name, and three counts, of
    # which the one by both columns may name them in either order.
    figures = {f"{word}_things_size_by_name" for word in ("mean", "total", "highest", "lowest")}
    counts = {f"number_of_things_by_{by}" for by in ("name", "size")}
    listings = {"list_things_size_by_name", "list_things_name_by_size"}
    assert names - {"number_of_things_by_name_and_size", "number_of_things_by_size_and_name"} == {
        *figures,
        *counts,
        *listings,
    }
    assert len(names) == 9


def test_what_the_worlds_own_endpoints_give_is_left_out() -> None:
    world = manifest("small", own("get_thing_size", "size", "name"), own("count", "count", "size"))
    names = {item.endpoint.name for item in found(world)}
    assert not names & {"list_things_size_by_name", "number_of_things_by_size"}
    assert len(names) == 7


def test_other_worlds_endpoints_take_turns_with_own_columns() -> None:
    other = manifest("other", own("a", "x"), own("b", "y"))
    worlds = [item.world for item in found(manifest("small"), other, count=5)]
    assert worlds == ["small", "other", "small", "other", "small"]


def test_no_name_is_taken_twice() -> None:
    other = manifest("other", own("number_of_things_by_name", "x"), own("taken", "x"))
    names = [item.endpoint.name for item in found(manifest("small"), other, taken=("taken",))]
    assert len(set(names)) == len(names) and "taken" not in names


def test_a_larger_number_begins_with_the_smaller_one(worlds) -> None:
    films, *others = (world.manifest for world in worlds.by_name.values())
    assert found(films, *others, count=40)[:15] == found(films, *others, count=15)


def test_films_alone_have_three_hundred_tools(worlds) -> None:
    films = worlds.by_name["films"].manifest
    assert len(found(films, count=280, taken=tuple(e.name for e in films.endpoints))) + len(films.endpoints) == 300


def test_every_distractor_works(world: World) -> None:
    database = Database(world.database, 5.0)
    endpoints = list(islice(distractor_endpoints(world.manifest, 0), 250))
    for tool, endpoint in zip(rest_tools(database, endpoints, 5), endpoints, strict=True):
        given = {name: "x" if schema["type"] == "string" else 1 for name, schema in endpoint.parameters.items()}
        assert endpoint.key in json.loads(asyncio.run(tool.call(given)).text)
    database.close()


def test_names_are_ones_that_model_servers_accept(world: World) -> None:
    for endpoint in islice(distractor_endpoints(world.manifest, 0), 2000):
        assert re.fullmatch(r"[a-z0-9_]{1,64}", endpoint.name)
        assert endpoint.description.endswith(".")


def test_odd_column_names_are_bound_under_plain_ones() -> None:
    world = manifest("odd", columns=(Column("Größe (€)", "REAL", "", '"t"."g"'), Column("a b", "TEXT", "", '"t"."a"')))
    endpoint = next(item.endpoint for item in found(world) if item.endpoint.key == "a_b")
    assert (
        endpoint.sql
        == 'SELECT DISTINCT "t"."a" FROM "t" WHERE "t"."g" = :grosse AND "t"."a" IS NOT NULL ORDER BY "t"."a"'
    )
    assert list(endpoint.parameters) == ["grosse"]


def test_a_mixed_order_depends_on_names_alone(film_tools) -> None:
    assert mixed(film_tools, 3) == mixed(film_tools[::-1], 3)
    assert {mixed(film_tools, seed)[0].spec.name for seed in range(9)} == {tool.spec.name for tool in film_tools}
