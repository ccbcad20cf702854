"""Tasks that lose a needed tool."""

from __future__ import annotations

import dataclasses

from agentbench.tools.needed import handle_stand_ins, left, rest_stand_ins, without_needed
from agentbench.tools.sql.spec import Endpoint
from agentbench.types import AnswerType, Task

STAND_INS = {"get_film_director": frozenset({"get_film_director", "list_films"})}


def endpoint(name: str, sql: str) -> Endpoint:
    return Endpoint(name, "", sql, {}, "x")


def test_endpoints_that_read_the_rarest_column_go_together() -> None:
    # Readers: title 3, director 2, year 1, so get_year needs its year and the others meet in director.
    directed = endpoint("directed", 'SELECT "f"."director" FROM "f" WHERE "f"."title" = :title')
    films_of = endpoint("films_of", 'SELECT "f"."title" FROM "f" WHERE "f"."director" = :director')
    year = endpoint("year", 'SELECT "f"."year" FROM "f" WHERE "f"."title" = :title')
    pair = frozenset({"directed", "films_of"})
    assert rest_stand_ins([directed, films_of, year]) == {"directed": pair, "films_of": pair, "year": {"year"}}


def test_a_column_is_known_under_a_tables_other_name() -> None:
    join = '"a" JOIN "b" AS "b linked" ON "a"."key" = "b linked"."key"'
    joined = endpoint("joined", f'SELECT "b linked"."x" FROM {join}')
    direct = endpoint("direct", 'SELECT "b"."x" FROM "b"')
    assert rest_stand_ins([joined, direct])["direct"] == {"joined", "direct"}


def test_get_data_goes_with_every_endpoint_beside_it() -> None:
    assert handle_stand_ins([endpoint("list_films", "")]) == {"get_data": {"get_data", "list_films"}}


def test_the_turn_that_needs_the_tool_cannot_be_answered(film_task: Task) -> None:
    found = without_needed(film_task, STAND_INS, 0)
    assert found is not None
    (turn,) = found.turns
    assert (turn.query, turn.gold.answer.type) == (film_task.turns[0].query, AnswerType.UNANSWERABLE)
    assert (turn.gold.actions, turn.gold.documents) == ((), ())
    facts = {"needed_tool": "get_film_director", "removed_tools": ["get_film_director", "list_films"]}
    assert (found.id, found.data) == (film_task.id, {**film_task.data, **facts})


def test_the_task_ends_with_that_turn_and_keeps_earlier_ones(two_turns: Task) -> None:
    director, born = two_turns.turns
    turned = dataclasses.replace(two_turns, turns=(born, director, director))
    found = without_needed(turned, STAND_INS, 0)
    assert found is not None
    assert found.turns[0] == born
    assert [turn.gold.answer.type for turn in found.turns[1:]] == [AnswerType.UNANSWERABLE]


def test_a_task_that_calls_no_such_tool_is_left_out(film_task: Task, unanswerable: Task) -> None:
    assert without_needed(unanswerable, STAND_INS, 0) is None
    assert without_needed(film_task, {"get_data": frozenset({"get_data"})}, 0) is None


def test_which_of_two_needed_tools_goes_depends_on_seed_and_task(film_task: Task) -> None:
    either = {name: frozenset({name}) for name in ("get_film_director", "retrieve_documents")}
    drawn = [without_needed(film_task, either, seed) for seed in range(12)]
    assert {task.data["needed_tool"] for task in drawn if task} == set(either)
    assert drawn[0] == without_needed(film_task, either, 0)


def test_what_is_left_are_the_other_tools(film_tools, film_task: Task) -> None:
    found = without_needed(film_task, STAND_INS, 0)
    assert found is not None
    assert [tool.spec.name for tool in left(film_tools, found)] == ["retrieve_documents"]
    assert left(film_tools, film_task) == film_tools
