"""Endpoints, universes, answers and wordings that follow from a small description, worked out by hand."""

from __future__ import annotations

from random import Random

import pytest

from agentbench.config.env import Granularity
from agentbench.config.tasks import Split
from agentbench.worlds.compiling import Compiler
from agentbench.worlds.domain import EMPTY_CORPUS, Content, Domain, Field, Kind, Link, QuerySpec, Role, Table
from agentbench.worlds.hops import ApiHop, Drop, Input
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.phrasing import Given, Phraser, condition, conditions
from agentbench.worlds.views import Query, queries, universes, views

PEOPLE = Table(
    "people", "person", "people", "name",
    (Field("name", "name", Role.NAME, values="people"), Field("town", "town", Role.GROUP, by="from {}")),
)  # fmt: skip
BOOKS = Table(
    "books", "book", "books", "title",
    (
        Field("title", "title", Role.NAME, values="books"),
        Field("author", "author", Role.GROUP, values="people", by="written by {}"),
        Field("pages", "number of pages", Role.NUMBER, "INTEGER", most="longest", least="shortest",
              over="longer than {} pages"),
    ),
    (Link("author", "people"),),
)  # fmt: skip
SPECS = (
    QuerySpec(Kind.LOOKUP, "books", ("title",), "author"),
    QuerySpec(Kind.TOP, "books", ("author",), "pages"),
    QuerySpec(Kind.COUNT, "books", ("town",), over="pages"),
    QuerySpec(Kind.MEAN, "books", ("author",), "pages"),
    QuerySpec(Kind.LIST, "books", ("author",)),
)
DOMAIN = Domain("library", "Library", "Books", "", "", (PEOPLE, BOOKS), (), SPECS)
ROWS = {
    "people": [{"name": "Ann", "town": "Oslo"}, {"name": "Bo", "town": "Rome"}],
    "books": [
        {"title": "Dust", "author": "Ann", "pages": 100},
        {"title": "Ash", "author": "Ann", "pages": 301},
        {"title": "Clay", "author": "Bo", "pages": 50},
        {"title": "Mud", "author": "Bo", "pages": 50},
    ],
}
VIEWS = views(DOMAIN)
LOOKUP, TOP, COUNT, MEAN, LIST = queries(DOMAIN, VIEWS)
KNOWLEDGE = Knowledge(DOMAIN, Content(ROWS, EMPTY_CORPUS), VIEWS, (LOOKUP, TOP, COUNT, MEAN, LIST))


def ask(query: Query, *values: str | int) -> ApiHop:
    return KNOWLEDGE.ask(
        query, tuple(Input(f"books.{name}", value) for name, value in zip(query.inputs, values, strict=True))
    )


def test_endpoints_are_named_after_what_they_do():
    assert [query.endpoint.name for query in (LOOKUP, TOP, COUNT, MEAN, LIST)] == [
        "get_book_author",
        "longest_book_by_author",
        "count_books_by_town_over_pages",
        "mean_book_pages_by_author",
        "list_books_by_author",
    ]


def test_an_endpoint_binds_its_values_and_joins_where_it_must():
    assert COUNT.endpoint.sql == (
        'SELECT COUNT(*) FROM "books" JOIN "people" AS "people" ON "books"."author" = "people"."name" '
        'WHERE "people"."town" = :town AND "books"."pages" > :pages'
    )
    assert {name: schema["type"] for name, schema in COUNT.endpoint.parameters.items()} == {
        "town": "string",
        "pages": "integer",
    }


def test_there_is_a_universe_for_each_table_and_each_link():
    columns = {universe.id: [column.name for column in universe.columns] for universe in universes(VIEWS)}
    assert columns == {
        "people": ["name", "town"],
        "books": ["title", "author", "pages"],
        "books_with_people": ["title", "author", "pages", "town"],
    }


def test_answers_are_computed_from_the_rows():
    assert ask(LOOKUP, "Ash").values == ("Ann",)
    assert ask(TOP, "Ann").values == ("Ash",)
    assert ask(COUNT, "Oslo", 100).values == (1,)
    assert ask(MEAN, "Ann").values == (200.5,)
    assert ask(LIST, "Bo").values == ("Clay", "Mud")


@pytest.mark.parametrize(
    ("query", "values", "reason"),
    [(TOP, ("Bo",), "no single winner"), (LOOKUP, ("Salt",), "no rows"), (COUNT, ("Rome", 50), "no rows")],
)
def test_questions_without_one_clear_answer_are_dropped(query: Query, values: tuple[str | int, ...], reason: str):
    with pytest.raises(Drop, match=reason):
        ask(query, *values)


def test_conditions_are_spoken_in_order():
    assert conditions(COUNT, [Given("Oslo"), Given("100")]) == "from Oslo longer than 100 pages"


@pytest.mark.parametrize(
    ("pattern", "given", "expected"),
    [
        ("with the code {}", Given("33"), "with the code 33"),
        ("with the code {}", Given("that code", "code"), "with that code"),
        ("using the {}", Given("the currency of Peru", "currency"), "using the currency of Peru"),
        ("whose owner is {}", Given("that firm", "firm"), "whose owner is that firm"),
    ],
)
def test_a_reference_takes_the_place_of_noun_and_article(pattern: str, given: Given, expected: str):
    assert condition(pattern, given) == expected


def compiled(granularity: Granularity) -> list[tuple[str, dict[str, object]]]:
    first = ask(LOOKUP, "Dust")
    second = KNOWLEDGE.ask(TOP, (Input("books.author", "Ann", source=0),))
    compiler = Compiler("library", granularity)
    compiler.add((first,))
    compiler.add((first, second))
    return [(call.name, call.arguments) for call in compiler.calls]


def test_a_chain_at_rest_granularity_refers_to_the_first_answer():
    assert compiled(Granularity.REST) == [
        ("get_book_author", {"title": "Dust"}),
        ("longest_book_by_author", {"author": "$var_1.author.0$"}),
    ]


def test_a_chain_of_handles_opens_each_table_once():
    assert compiled(Granularity.SELECTION) == [
        ("get_data", {"tool_universe_id": "books"}),
        ("select_data_equal_to", {"data_label": "$var_1.handle$", "key_name": "title", "value": "Dust"}),
        ("get_authors", {"data_label": "$var_2.handle$"}),
        ("select_data_equal_to", {"data_label": "$var_1.handle$", "key_name": "author", "value": "$var_3.author.0$"}),
        ("sort_data_descending", {"data_label": "$var_4.handle$", "key_name": "pages"}),
        ("truncate", {"truncate_array": "$var_5.handle$", "n": 1}),
        ("get_titles", {"data_label": "$var_6.handle$"}),
    ]


def test_slot_filling_asks_for_the_first_row_only():
    assert compiled(Granularity.SLOT_FILLING)[-1] == (
        "retrieve_data",
        {"data_label": "$var_5.handle$", "key_name": "title", "limit": 1},
    )


def test_every_split_phrases_with_its_own_frames():
    used = {}
    for split in Split:
        phraser = Phraser(DOMAIN, split, Random(0))
        for _ in range(50):
            phraser.question((ask(TOP, "Ann"),), 0)
        used[split] = set(phraser.templates)
    assert not used[Split.TRAIN] & used[Split.TEST]
    assert not used[Split.TRAIN] & used[Split.VALIDATION]
    assert not used[Split.TEST] & used[Split.VALIDATION]
