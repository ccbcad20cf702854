"""How a domain is described: tables, facts that only documents state, and the words both are spoken of with.

Everything else is derived from this one description: the database, endpoints and universes of the tools, the
documents, the chains of calls and the questions. A column is exposed by tools or stated by documents, never both.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from agentbench.tools.retriever import Document
from agentbench.types import record

Value = str | int | float


class Role(StrEnum):
    """What a column is good for in a question."""

    NAME = "name"
    """Unique name of the row's entity."""
    GROUP = "group"
    """A value that several rows share; values are disjoint between splits."""
    CATEGORY = "category"
    """A shared value out of fewer than 30: too few to be held out, so every split may mention it."""
    NUMBER = "number"
    """A measure that rows are ranked, summed or averaged by."""
    LABEL = "label"
    """Looked up, never searched by."""
    PLAIN = "plain"
    """Shown by tools, never asked about."""


@record
class Field:
    """One column of a table, and how it is spoken of."""

    name: str
    noun: str
    role: Role
    type: str = "TEXT"
    """`TEXT`, `INTEGER` or `REAL`."""
    description: str = ""
    values: str = ""
    """What the values name: another table, or a word such as `person`; equal words make hops that fit together."""
    clause: str = ""
    """The column as a subordinate question: `who directed {}`."""
    by: str = ""
    """The column as a condition behind a noun: `directed by {}`."""
    most: str = ""
    """Superlative for the highest value: `longest`. Empty: the noun says it, `with the highest price`."""
    least: str = ""
    over: str = ""
    """The column as a lower bound behind a noun: `longer than {} minutes`."""
    source: str = ""
    """Name in the SQLite file where it is another one."""

    @property
    def sql_name(self) -> str:
        """Name in the SQLite file."""
        return self.source or self.name


@record
class Link:
    """A foreign key: `field` holds what `parent_field` of a row of `table` holds (its name, where that is empty)."""

    field: str
    table: str
    parent_field: str = ""
    label: str = ""
    """What the linked row is to this one: `home_team`. Empty: what it is by itself."""


@record
class Table:
    """One table; `key` is the field with role NAME, empty where rows have no name."""

    name: str
    singular: str
    plural: str
    key: str
    fields: tuple[Field, ...]
    links: tuple[Link, ...] = ()
    quoted: bool = False
    """Whether names stand in quotation marks in questions."""
    missing: tuple[str, ...] = ()
    """Nouns that neither database nor documents know about."""
    source: str = ""
    """Name in the SQLite file where it is another one."""

    @property
    def sql_name(self) -> str:
        """Name in the SQLite file."""
        return self.source or self.name

    def field(self, name: str) -> Field:
        """The field of that name."""
        return next(field for field in self.fields if field.name == name)


@record
class Fact:
    """One kind of statement that documents make about entities of a table."""

    name: str
    noun: str
    sentence: str
    """`{entity} was written by {value}.`"""
    values: str = ""
    """As in `Field.values`."""
    clause: str = ""
    by: str = ""
    """The fact as a condition: `written by {}`. Empty: nobody is asked for by it."""
    number: bool = False
    """Whether the value is a number."""


@record
class Card:
    """What documents say about the entities of one table."""

    table: str
    facts: tuple[Fact, ...]


class Kind(StrEnum):
    """What an API query computes from the rows that match its conditions."""

    LOOKUP = "lookup"
    LIST = "list"
    COUNT = "count"
    TOP = "top"
    BOTTOM = "bottom"
    MEAN = "mean"
    SUM = "sum"
    MAX = "max"
    MIN = "min"


@record
class QuerySpec:
    """One question shape the database answers: `kind` of `target` among rows where `by` equal the given values."""

    kind: Kind
    table: str
    by: tuple[str, ...]
    """Columns, also of a linked table (`countries.continent`)."""
    target: str = ""
    """LOOKUP: the column read. TOP, BOTTOM: the column ranked by. MEAN to MIN: the column computed on."""
    over: str = ""
    """A column that must be greater than one more given value."""


@record
class Domain:
    """The whole description."""

    name: str
    title: str
    topic: str
    description: str
    attribution: str
    tables: tuple[Table, ...]
    cards: tuple[Card, ...]
    queries: tuple[QuerySpec, ...]

    def table(self, name: str) -> Table:
        """The table of that name."""
        return next(table for table in self.tables if table.name == name)


class Stated(NamedTuple):
    """One fact about one entity as a document states it."""

    table: str
    entity: str
    fact: Fact
    values: tuple[Value, ...]
    document: str


class Quote(NamedTuple):
    """A sentence of a document that describes one entity, its name left out."""

    table: str
    entity: str
    text: str
    document: str


class Corpus(NamedTuple):
    """The documents and what is known about their content."""

    documents: tuple[Document, ...]
    stated: tuple[Stated, ...]
    quotes: tuple[Quote, ...]
    texts: Mapping[str, str] = MappingProxyType({})
    """By entity: everything documents say where they mention it. Empty where they say nothing the database says."""


class Content(NamedTuple):
    """The rows of each table."""

    rows: dict[str, list[dict[str, Any]]]
    corpus: Corpus


EMPTY_CORPUS = Corpus((), (), ())
