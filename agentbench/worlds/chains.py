"""Random chains of hops that fit together, all of whose values one split may mention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple, TypeVar

from agentbench.config.env import Scenario
from agentbench.config.tasks import Split
from agentbench.worlds.domain import Kind, Role, Stated, Value
from agentbench.worlds.hops import ApiHop, Drop, FactHop, FindHop, Hop, Hops, Input, QuoteHop
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.splits import split_of
from agentbench.worlds.views import Query

T = TypeVar("T")


class _Found(NamedTuple):
    """A stated value that belongs to one entity only."""

    column: str
    value: Value
    stated: Stated


_WEIGHTS = {
    Kind.LOOKUP: 8,
    Kind.LIST: 3,
    Kind.COUNT: 3,
    Kind.TOP: 2,
    Kind.BOTTOM: 2,
    Kind.MEAN: 1,
    Kind.SUM: 1,
    Kind.MAX: 1,
    Kind.MIN: 1,
}
_LIST_WEIGHT = 4
"""How much rather than another query a list is asked for about an earlier answer: what else is there?"""
_QUOTE_SHARE = 0.12
"""How often a document is asked for by a sentence where that is possible."""


class Chains:
    """A source of chains for one split."""

    def __init__(self, knowledge: Knowledge, split: Split, rng: Random) -> None:
        self._knowledge = knowledge
        self._split = split
        self._rng = rng
        corpus = knowledge.corpus
        self._queries = {False: _by_kind(knowledge.queries), True: _by_kind(self._leading())}
        self._facts = _grouped(item for item in corpus.stated if self._mine(item.entity))
        self._leads = _grouped(item for items in self._facts.values() for item in items if self._leads_on(item))
        self._finds = self._findable()
        self._quotes = [quote for quote in corpus.quotes if self._mine(quote.entity)]

    def can(self, scenario: Scenario) -> bool:
        """Whether there is anything to start from and, where two sources are needed, anything that links them."""
        match scenario:
            case Scenario.API:
                return bool(self._queries[False])
            case Scenario.RAG:
                return bool(self._facts or self._quotes)
            case _:
                return bool(self._queries[False] and (self._facts or self._quotes))

    def start_api(self, *, leading: bool = False) -> ApiHop:
        """A query about values that the question says; `leading`: one whose answer documents know more about."""
        queries = self._queries[leading]
        if not queries:
            raise Drop("no API questions")
        weights = [len(queries[kind]) if leading else _WEIGHTS[kind] for kind in queries]
        kind = self._rng.choices(list(queries), weights)[0]
        return self._asked(self._rng.choice(queries[kind]))

    def start_rag(self, *, leading: bool = False) -> Hop:
        """A question that one document answers; `leading`: with an answer that the database knows more about."""
        facts = self._leads if leading else self._facts
        if self._quotes and self._rng.random() < _QUOTE_SHARE:
            return QuoteHop(self._rng.choice(self._quotes))
        ways = [way for way in (facts, self._finds) if way]
        if not ways:
            raise Drop("no document questions")
        if self._rng.choice(ways) is facts:
            return self._fact_hop(self._rng.choice(facts[self._rng.choice(list(facts))]))
        return self._find_hop(self._rng.choice(self._finds[self._rng.choice(list(self._finds))]))

    def then_api(self, hops: Hops) -> ApiHop:
        """A query about the last hop's answer."""
        value, gives = _single(hops[-1])
        ways = self._knowledge.ways(gives, value)
        if not ways:
            raise Drop("answer leads nowhere in the database")
        weights = [_LIST_WEIGHT if query.kind is Kind.LIST else 1 for query, _ in ways]
        query, column = self._rng.choices(ways, weights)[0]
        return _unsaid(hops, self._ask(query, column, value, len(hops) - 1))

    def then_rag(self, hops: Hops) -> Hop:
        """A document question about the last hop's answer."""
        value, gives = _single(hops[-1])
        self._check(value, False)
        source = len(hops) - 1
        ways: list[Hop] = [
            FactHop(item, (Input(self._knowledge.name_column(item.table), value, source=source),))
            for item in self._knowledge.stated.get((gives, str(value)), ())
        ]
        for item in self._knowledge.found_by(value):
            if item.fact.values == gives:
                ways.append(FindHop(item, (Input(f"{item.table}.{item.fact.name}", value, source=source),)))
        if not ways:
            raise Drop("answer leads nowhere in the documents")
        hop = self._rng.choice(ways)
        if set(hop.values) & _said(hops):
            raise Drop("asks for what was said")
        return hop

    def like(self, hops: Hops) -> Hop:
        """The last question again, about something else."""
        match hops[-1]:
            case ApiHop(query=query):
                hop: Hop = self._asked(query)
            case FactHop(stated=stated):
                hop = self._fact_hop(self._another(self._facts, stated))
            case FindHop(stated=stated):
                hop = self._find_hop(self._another(self._finds, stated))
            case QuoteHop():
                raise Drop("a quotation is not asked for twice")
        if hop.inputs[0].value in _said(hops) or len(hop.inputs) > 1:
            raise Drop("asks for what was said")
        return hop

    def _another(self, groups: Mapping[tuple[str, str], Sequence[T]], stated: Stated) -> T:
        """One of this split's that state the same fact; a hop about an earlier answer may be of a fact without any."""
        found = groups.get((stated.table, stated.fact.name))
        if not found:
            raise Drop("no values in this split")
        return self._rng.choice(found)

    def _asked(self, query: Query) -> ApiHop:
        pool = self._knowledge.pool(query.view, query.by[0], self._split)
        if not pool:
            raise Drop("no values in this split")
        return self._ask(query, query.by[0], self._rng.choice(pool), None)

    def _ask(self, query: Query, column: str, value: Value, source: int | None) -> ApiHop:
        """A query with one given value; its other conditions are taken from a row that matches."""
        rows = self._knowledge.index(query.view, column).get(value)
        if not rows:
            raise Drop("no rows")
        row = self._rng.choice(rows)
        inputs = [
            self._input(query, name, value if name == column else row[name], source if name == column else None)
            for name in query.by
        ]
        if query.over:
            inputs.append(self._input(query, query.over, self._bound(query, inputs), None))
        if all(item.exempt for item in inputs):
            self._check(" + ".join(str(item.value) for item in inputs), False)
        return self._knowledge.ask(query, tuple(inputs))

    def _bound(self, query: Query, inputs: Sequence[Input]) -> Value:
        bare = query._replace(over="")
        rows = self._knowledge.matching(bare, tuple(item.value for item in inputs))
        values = sorted({row[query.over] for row in rows} - {None})[:-1]
        mine = [value for value in values if self._mine(value)]
        if not mine:
            raise Drop("no bound in this split")
        return self._rng.choice(mine)

    def _input(self, query: Query, name: str, value: Value | None, source: int | None) -> Input:
        if value is None or not str(value).strip():
            raise Drop("a condition without a value")
        exempt = query.view.fields[name].field.role is Role.CATEGORY
        self._check(value, exempt)
        return Input(f"{query.view.table.name}.{name}", value, exempt, source)

    def _check(self, value: Value, exempt: bool) -> None:
        if not exempt and not self._mine(value):
            raise Drop("value of another split")

    def _mine(self, value: Value) -> bool:
        return split_of(value) is self._split

    def _fact_hop(self, item: Stated) -> FactHop:
        return FactHop(item, (Input(self._knowledge.name_column(item.table), item.entity),))

    def _find_hop(self, found: _Found) -> FindHop:
        return FindHop(found.stated, (Input(found.column, found.value),))

    def _leading(self) -> list[Query]:
        """Queries whose answers may name something that documents are about."""
        known = {item.table for item in self._knowledge.corpus.stated}
        known |= {item.fact.values for item in self._knowledge.corpus.stated if item.fact.by}
        return [query for query in self._knowledge.queries if query.gives and query.gives in known]

    def _leads_on(self, item: Stated) -> bool:
        return len(item.values) == 1 and bool(self._knowledge.ways(item.fact.values, item.values[0]))

    def _findable(self) -> dict[tuple[str, str], list[_Found]]:
        found: dict[tuple[str, str], list[_Found]] = {}
        for (column, value), item in self._knowledge.unique.items():
            if self._mine(value) and self._mine(item.entity):
                found.setdefault((item.table, item.fact.name), []).append(_Found(column, value, item))
        return found


def _by_kind(queries: Iterable[Query]) -> dict[Kind, list[Query]]:
    found: dict[Kind, list[Query]] = {}
    for query in queries:
        found.setdefault(query.kind, []).append(query)
    return found


def _grouped(items: Iterable[Stated]) -> dict[tuple[str, str], list[Stated]]:
    found: dict[tuple[str, str], list[Stated]] = {}
    for item in items:
        found.setdefault((item.table, item.fact.name), []).append(item)
    return found


def _single(hop: Hop) -> tuple[Value, str]:
    if len(hop.values) != 1 or not hop.gives:
        raise Drop("answer is no single name")
    return hop.values[0], hop.gives


def _said(hops: Hops) -> set[Value]:
    return {item.value for hop in hops for item in hop.inputs} | {value for hop in hops for value in hop.values}


def _unsaid(hops: Hops, hop: ApiHop) -> ApiHop:
    """The hop without those items of a list that the task said before; other answers may not have been said."""
    said = _said(hops)
    left = tuple(value for value in hop.values if value not in said)
    if not hop.query.output or left == hop.values:
        return hop
    if hop.query.kind is Kind.LIST and left:
        return hop._replace(values=left, others=True)
    raise Drop("asks for what was said")
