"""One step of reasoning, bound to values and answered from the rows and facts in memory.

The answers here come from plain Python over the extracted rows; replaying the gold calls through the real tools must
give the same, which checks database, tools and this file against each other.
"""

from __future__ import annotations

from typing import NamedTuple

from agentbench.worlds.domain import Quote, Stated, Value
from agentbench.worlds.views import Query


class Drop(Exception):
    """A candidate that makes no good task; the message is the reason, counted in the report."""


class Input(NamedTuple):
    """One value a hop starts from."""

    column: str
    """`films.director`: what the value stands in."""
    value: Value
    exempt: bool = False
    """Whether the value is a category and belongs to all splits."""
    source: int | None = None
    """Index of the task's hop whose answer it is; `None` when the question says it."""


class ApiHop(NamedTuple):
    """A query over the database."""

    query: Query
    inputs: tuple[Input, ...]
    values: tuple[Value, ...]
    others: bool = False
    """Whether the answer leaves out what the task said before: `the other films directed by that director`."""

    @property
    def gives(self) -> str:
        """What the answer names: a table, or a word such as `person`; empty for plain values and lists."""
        return self.query.gives


class FactHop(NamedTuple):
    """From an entity to what its document states."""

    stated: Stated
    inputs: tuple[Input, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """The stated values."""
        return self.stated.values

    @property
    def gives(self) -> str:
        """What the values name."""
        return self.stated.fact.values


class FindHop(NamedTuple):
    """From a stated value to the one entity it is stated of."""

    stated: Stated
    inputs: tuple[Input, ...]

    @property
    def values(self) -> tuple[Value, ...]:
        """The entity."""
        return (self.stated.entity,)

    @property
    def gives(self) -> str:
        """The entity's table."""
        return self.stated.table


class QuoteHop(NamedTuple):
    """From a sentence to the entity it describes."""

    quote: Quote

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The entity itself: it may not be described in one split and named in another."""
        return (Input(f"{self.quote.table}.description", self.quote.entity),)

    @property
    def values(self) -> tuple[Value, ...]:
        """The entity."""
        return (self.quote.entity,)

    @property
    def gives(self) -> str:
        """The entity's table."""
        return self.quote.table


Hop = ApiHop | FactHop | FindHop | QuoteHop
Hops = tuple[Hop, ...]
