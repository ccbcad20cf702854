"""Each fact lives in exactly one source: what the database says no document says, and the other way round."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from types import ModuleType
from typing import Any

import orjson
import pytest

from agentbench.worlds import chemistry, films, geography
from agentbench.worlds.domain import Domain, Table
from agentbench.worlds.manifest import World

per_domain = pytest.mark.parametrize("module", [films, geography, chemistry], ids=lambda module: module.DOMAIN.name)


def rows(world: World, table: Table) -> dict[str, dict[str, Any]]:
    with closing(sqlite3.connect(f"file:{world.database}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        return {row[table.key]: dict(row) for row in connection.execute(f'SELECT * FROM "{table.name}"')}


def documents(world: World) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in (world.folder / "documents.jsonl").read_bytes().splitlines()]


def says(text: str, value: object) -> bool:
    return re.search(rf"(?<![\w.,-]){re.escape(str(value))}(?![\w-]|[.,]\d)", text, re.IGNORECASE) is not None


def described(domain: Domain) -> list[Table]:
    return [domain.table(card.table) for card in domain.cards]


@per_domain
def test_no_document_says_a_value_that_the_database_holds_about_its_entity(worlds, module: ModuleType):
    world = worlds.by_name[module.DOMAIN.name]
    known = {name: row for table in described(module.DOMAIN) for name, row in rows(world, table).items()}
    for document in documents(world):
        text = re.sub(re.escape(document["title"]), " ", document["text"], flags=re.IGNORECASE)
        values = [value for value in known[document["title"]].values() if value not in (None, document["title"])]
        assert [value for value in values if says(text, value)] == []


@per_domain
def test_no_stated_value_stands_in_the_database_row_of_its_entity(worlds, module: ModuleType):
    known = {table.name: rows(worlds.by_name[module.DOMAIN.name], table) for table in described(module.DOMAIN)}
    for item in module.extract().corpus.stated:
        held = {str(value) for key, value in known[item.table][item.entity].items() if value != item.entity}
        assert not held & {str(value) for value in item.values}


@per_domain
def test_facts_and_columns_have_different_names(module: ModuleType):
    domain = module.DOMAIN
    columns = {field.name for table in domain.tables for field in table.fields}
    nouns = {field.noun for table in domain.tables for field in table.fields}
    for fact in (fact for card in domain.cards for fact in card.facts):
        assert fact.name not in columns
        assert fact.noun not in nouns


@per_domain
def test_what_no_source_holds_is_named_by_no_column_fact_or_document(worlds, module: ModuleType):
    domain = module.DOMAIN
    text = " ".join(document["text"] for document in documents(worlds.by_name[domain.name])).casefold()
    columns = {field.noun for table in domain.tables for field in table.fields}
    facts = {fact.noun for card in domain.cards for fact in card.facts}
    for noun in (noun for table in domain.tables for noun in table.missing):
        assert noun not in columns | facts
        assert not says(text, noun)


@per_domain
def test_documents_are_short_and_there_are_twelve_to_twenty_endpoints(worlds, module: ModuleType):
    world = worlds.by_name[module.DOMAIN.name]
    assert max(len(document["text"].split()) for document in documents(world)) <= 80
    assert 12 <= len(world.manifest.endpoints) <= 20
