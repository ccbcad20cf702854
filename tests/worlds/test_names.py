"""Identifiers as names and words."""

from __future__ import annotations

import pytest

from agentbench.worlds.names import free, plural, singular, slug


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("UnitPrice", "unit_price"),
        ("Unit Price (€)", "unit_price"),
        ("größe", "grosse"),
        ("__x__y__", "x_y"),
        ("2nd name", "column_2nd_name"),
        ("数量", "column"),
        ('say "hi"; DROP', "say_hi_drop"),
    ],
)
def test_any_identifier_becomes_a_plain_name(identifier: str, expected: str):
    assert slug(identifier) == expected


def test_a_name_that_is_taken_gets_the_next_number():
    assert free("name", {"name", "name_2"}) == "name_3"


@pytest.mark.parametrize(
    ("many", "one"),
    [
        ("companies", "company"),
        ("boxes", "box"),
        ("order_items", "order_item"),
        ("status", "status"),
        ("series", "series"),
    ],
)
def test_plural_table_names_have_a_singular(many: str, one: str):
    assert singular(many) == one


@pytest.mark.parametrize(
    ("one", "many"), [("country", "countries"), ("box", "boxes"), ("key", "keys"), ("star", "stars")]
)
def test_nouns_have_a_plural(one: str, many: str):
    assert plural(one) == many
