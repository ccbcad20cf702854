"""Random chains of hops that fit together, all of whose values one split may mention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from random import Random

from agentbench.config.tasks import Split
from agentbench.worlds.domain import Kind, Role, Stated, Value
from agentbench.worlds.hops import ApiHop, Drop, FactHop, FindHop, Hop, Input, QuoteHop
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.splits import split_of
from agentbench.worlds.views import Query

Hops = tuple[Hop, ...]


class Chains:
    """A source of chains for one split."""

    def __init__(self, knowledge: Knowledge, split: Split, rng: Random) -> None:
        self.knowledge = knowledge
        self._split = split
        self._rng = rng
        corpus = knowledge.corpus
        self._facts = _grouped(item for item in corpus.stated if self._mine(item.entity))
        self._finds = self._findable()
        self._quotes = [quote for quote in corpus.quotes if self._mine(quote.entity)]
        self._by_kind = _queries_by_kind(knowledge.queries)

    def start_api(self) -> ApiHop:
        """A query about values that the question says."""
        if not self._by_kind:
            raise Drop("no API questions")
        kind = self._rng.choices(list(self._by_kind), [_WEIGHT[kind] for kind in self._by_kind])[0]
        query = self._rng.choice(self._by_kind[kind])
        pool = self.knowledge.pool(query.view, query.by[0], self._split)
        if not pool:
            raise Drop("no values in this split")
        return self.ask(query, query.by[0], self._rng.choice(pool), None)

    def start_rag(self) -> Hop:
        """A question that one document answers."""
        ways = [way for way, have in ((self._fact, self._facts), (self._find, self._finds), (self._quote, self._quotes)) if have]
        if not ways:
            raise Drop("no document questions")
        return self._rng.choice(ways)()

    def then_api(self, hops: Hops) -> ApiHop:
        """A query about the last hop's answer."""
        value, gives = _single(hops[-1])
        if value not in self.knowledge.searched.get(gives, ()):
            raise Drop("answer leads nowhere in the database")
        ways = [
            (query, column)
            for query in self.knowledge.queries
            for column in query.by
            if query.view.fields[column].field.values == gives
        ]
        query, column = self._rng.choice(ways)
        return self.ask(query, column, value, len(hops) - 1)

    def then_rag(self, hops: Hops) -> Hop:
        """A document question about the last hop's answer."""
        value, gives = _single(hops[-1])
        self._check(value, False)
        source = len(hops) - 1
        ways: list[Hop] = [
            FactHop(item, (Input(f"{item.table}.name", value, source=source),))
            for item in self.knowledge.stated.get((gives, str(value)), [])
        ]
        for (name, stated_value), item in self._found_by(value):
            if item.fact.values == gives:
                ways.append(FindHop(item, (Input(name, stated_value, source=source),)))
        if not ways:
            raise Drop("answer leads nowhere in the documents")
        return self._rng.choice(ways)

    def like(self, hop: Hop) -> Hop:
        """The same question about something else."""
        match hop:
            case ApiHop(query=query):
                pool = self.knowledge.pool(query.view, query.by[0], self._split)
                return self.ask(query, query.by[0], self._rng.choice(pool), None)
            case FactHop(stated=stated):
                return self._fact_hop(self._rng.choice(self._facts[stated.table, stated.fact.name]))
            case FindHop(stated=stated):
                return self._find_hop(self._rng.choice(self._finds[f"{stated.table}.{stated.fact.name}"]))
            case QuoteHop():
                raise Drop("a quotation is not asked for twice")

    def ask(self, query: Query, column: str, value: Value, source: int | None) -> ApiHop:
        """A query with one given value; its other conditions are taken from a row that matches."""
        rows = self.knowledge.index(query.view, column).get(value)
        if not rows:
            raise Drop("no rows")
        row = self._rng.choice(rows)
        inputs = []
        for name in query.by:
            given = value if name == column else row[name]
            inputs.append(self._input(query, name, given, source if name == column else None))
        if query.over:
            inputs.append(self._input(query, query.over, self._bound(query, inputs), None))
        return self.knowledge.ask(query, tuple(inputs))

    def _bound(self, query: Query, inputs: Sequence[Input]) -> Value:
        bare = query._replace(over="")
        rows = self.knowledge.matching(bare, tuple(item.value for item in inputs))
        values = sorted({row[query.over] for row in rows} - {None})[:-1]
        mine = [value for value in values if self._mine(value)]
        if not mine:
            raise Drop("no bound in this split")
        return self._rng.choice(mine)

    def _input(self, query: Query, name: str, value: Value | None, source: int | None) -> Input:
        if value is None:
            raise Drop("a condition without a value")
        item = query.view.fields[name]
        exempt = item.field.role is Role.CATEGORY
        self._check(value, exempt)
        return Input(f"{query.view.table.name}.{name}", value, exempt, source)

    def _check(self, value: Value, exempt: bool) -> None:
        if not exempt and not self._mine(value):
            raise Drop("value of another split")

    def _mine(self, value: Value) -> bool:
        return split_of(value) is self._split

    def _fact(self) -> FactHop:
        return self._fact_hop(self._rng.choice(self._facts[self._rng.choice(list(self._facts))]))

    def _fact_hop(self, item: Stated) -> FactHop:
        return FactHop(item, (Input(f"{item.table}.name", item.entity),))

    def _find(self) -> FindHop:
        return self._find_hop(self._rng.choice(self._finds[self._rng.choice(list(self._finds))]))

    def _find_hop(self, found: tuple[Value, Stated]) -> FindHop:
        value, item = found
        return FindHop(item, (Input(f"{item.table}.{item.fact.name}", value),))

    def _quote(self) -> QuoteHop:
        return QuoteHop(self._rng.choice(self._quotes))

    def _found_by(self, value: Value) -> list[tuple[tuple[str, Value], Stated]]:
        keys = [(name, value) for name in self._finds]
        return [(key, self.knowledge.unique[key]) for key in keys if key in self.knowledge.unique]

    def _findable(self) -> dict[str, list[tuple[Value, Stated]]]:
        found: dict[str, list[tuple[Value, Stated]]] = {}
        for (name, value), item in self.knowledge.unique.items():
            if self._mine(value) and self._mine(item.entity):
                found.setdefault(name, []).append((value, item))
        return found


_WEIGHT = {
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


def _queries_by_kind(queries: Sequence[Query]) -> dict[Kind, list[Query]]:
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
