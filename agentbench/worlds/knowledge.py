"""All rows and facts of a world in memory, indexed, and the answers they give."""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Any

from agentbench.config.tasks import Split
from agentbench.worlds.domain import Content, Domain, Kind, Role, Stated, Value
from agentbench.worlds.hops import ApiHop, Drop, Input
from agentbench.worlds.splits import split_of
from agentbench.worlds.views import Query, View

Row = dict[str, Any]
MOST_ITEMS = 8
"""Longest list an answer may be."""


class Knowledge:
    """What can be asked about a world."""

    def __init__(
        self, domain: Domain, content: Content, all_views: dict[str, View], queries: tuple[Query, ...]
    ) -> None:
        self.domain = domain
        self.corpus = content.corpus
        self.queries = queries
        self._rows = {view.id: _view_rows(view, content.rows, domain) for view in all_views.values()}
        self._indexes: dict[tuple[str, str], dict[Value, list[Row]]] = {}
        self._pools: dict[tuple[str, str, Split], list[Value]] = {}

    def index(self, view: View, column: str) -> dict[Value, list[Row]]:
        """Rows of a view by the value of a column, nulls left out."""
        key = (view.id, column)
        if key not in self._indexes:
            found: dict[Value, list[Row]] = defaultdict(list)
            for row in self._rows[view.id]:
                if row[column] is not None:
                    found[row[column]].append(row)
            self._indexes[key] = dict(found)
        return self._indexes[key]

    def pool(self, view: View, column: str, split: Split) -> list[Value]:
        """Distinct values of a column that questions of a split may mention."""
        key = (view.id, column, split)
        if key not in self._pools:
            exempt = view.fields[column].field.role is Role.CATEGORY
            values = self.index(view, column)
            self._pools[key] = [value for value in values if exempt or split_of(value) is split]
        return self._pools[key]

    def matching(self, query: Query, values: tuple[Value, ...]) -> list[Row]:
        """Rows that satisfy a query's conditions for the given values."""
        rows = self.index(query.view, query.by[0]).get(values[0], [])
        for column, value in zip(query.by[1:], values[1:], strict=False):
            rows = [row for row in rows if row[column] == value]
        if query.over:
            rows = [row for row in rows if row[query.over] is not None and row[query.over] > values[-1]]
        return rows

    def ask(self, query: Query, inputs: tuple[Input, ...]) -> ApiHop:
        """The query bound to values and answered.

        Raises:
            Drop: the answer is empty, not unique, too long or not a short number.
        """
        rows = self.matching(query, tuple(item.value for item in inputs))
        if not rows:
            raise Drop("no rows")
        match query.kind:
            case Kind.LOOKUP:
                values = _looked_up(rows, query.target)
            case Kind.LIST:
                values = _listed(rows, query.view.key)
            case Kind.COUNT:
                values = (len(rows),)
            case Kind.TOP | Kind.BOTTOM:
                values = _winner(rows, query)
            case _:
                values = (_computed(rows, query),)
        return ApiHop(query, inputs, values)

    @cached_property
    def stated(self) -> dict[tuple[str, str], list[Stated]]:
        """Facts by table and entity."""
        found: dict[tuple[str, str], list[Stated]] = defaultdict(list)
        for item in self.corpus.stated:
            found[item.table, item.entity].append(item)
        return dict(found)

    @cached_property
    def unique(self) -> dict[tuple[str, Value], Stated]:
        """Facts that one can ask for by value, by fact name and value: those stated of exactly one entity."""
        found: dict[tuple[str, Value], list[Stated]] = defaultdict(list)
        for item in self.corpus.stated:
            if item.fact.by:
                for value in item.values:
                    found[f"{item.table}.{item.fact.name}", value].append(item)
        return {key: items[0] for key, items in found.items() if len({item.entity for item in items}) == 1}

    def found_by(self, value: Value) -> list[Stated]:
        """Facts that belong to one entity only, by their value."""
        return self._unique_by_value.get(value, [])

    def ways(self, gives: str, value: Value) -> list[tuple[Query, str]]:
        """Queries, and their columns, that can be asked about a value that names such a thing."""
        candidates = self._searched.get(gives, ())
        return [(query, column) for query, column in candidates if value in self.index(query.view, column)]

    def name_column(self, table: str) -> str:
        """`films.title`: the column that names a table's rows."""
        return f"{table}.{self.domain.table(table).key}"

    @cached_property
    def _unique_by_value(self) -> dict[Value, list[Stated]]:
        found: dict[Value, list[Stated]] = defaultdict(list)
        for (_, value), item in self.unique.items():
            found[value].append(item)
        return dict(found)

    @cached_property
    def _searched(self) -> dict[str, list[tuple[Query, str]]]:
        found: dict[str, list[tuple[Query, str]]] = defaultdict(list)
        for query in self.queries:
            for column in query.by:
                field = query.view.fields[column].field
                if field.values:
                    found[field.values].append((query, column))
        return dict(found)


def _view_rows(view: View, rows: dict[str, list[Row]], domain: Domain) -> list[Row]:
    link = view.link
    if link is None:
        return rows[view.table.name]
    parent = domain.table(link.table)
    joined_on = link.parent_field or parent.key
    parents = {row[joined_on]: row for row in rows[parent.name] if row[joined_on] is not None}
    extra = {name: item.parent for name, item in view.fields.items() if item.parent}
    return [
        {**row, **{name: parents[row[link.field]][column] for name, column in extra.items()}}
        for row in rows[view.table.name]
        if row[link.field] in parents
    ]


def _looked_up(rows: list[Row], column: str) -> tuple[Value, ...]:
    values = {row[column] for row in rows} - {None}
    if len(values) != 1:
        raise Drop("no single value")
    return tuple(values)


def _listed(rows: list[Row], key: str) -> tuple[Value, ...]:
    if len(rows) > MOST_ITEMS:
        raise Drop("too many items")
    names = [row[key] for row in rows]
    if None in names or len(set(names)) < len(names):
        raise Drop("rows without a name of their own")
    return tuple(sorted(names))


def _winner(rows: list[Row], query: Query) -> tuple[Value, ...]:
    ranked = [row for row in rows if row[query.target] is not None]
    if len(ranked) < 2 or len(ranked) < len(rows):
        raise Drop("a ranking of one, or with gaps")
    ranked.sort(key=lambda row: row[query.target], reverse=query.kind is Kind.TOP)
    if ranked[0][query.target] == ranked[1][query.target] or ranked[0][query.view.key] is None:
        raise Drop("no single winner")
    return (ranked[0][query.view.key],)


def _computed(rows: list[Row], query: Query) -> Value:
    values = [row[query.target] for row in rows if row[query.target] is not None]
    if len(values) < 2:
        raise Drop("a computation over one row")
    match query.kind:
        case Kind.MEAN:
            result = sum(values) / len(values)
        case Kind.SUM:
            result = sum(values)
        case Kind.MAX:
            result = max(values)
        case _:
            result = min(values)
    if round(result, 2) != result:
        raise Drop("a number with more than two decimals")
    return result
