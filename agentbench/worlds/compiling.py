"""Chains of hops as gold calls at each granularity.

A call that was made before in the task is not made again: its result is referred to. References count the calls of
the whole task, `$var_3.title.0$` is the first title in the third call's result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from agentbench.config.env import Granularity
from agentbench.tasks.gold import REFERENCE
from agentbench.worlds.domain import Kind, Value
from agentbench.worlds.hops import ApiHop, Drop, FactHop, FindHop, Hop, Input, QuoteHop
from agentbench.worlds.views import Query, computed_word, superlative


class GoldCall(NamedTuple):
    """One call, with the thought before it and, for searches, the document it has to bring up."""

    name: str
    arguments: dict[str, Any]
    thought: str
    document: str = ""


class Compiler:
    """Gold calls of one task at one granularity, hop by hop."""

    def __init__(self, collection: str, granularity: Granularity) -> None:
        self._collection = collection
        self._granularity = granularity
        self.calls: list[GoldCall] = []
        self._references: list[str] = []

    def add(self, hops: Sequence[Hop]) -> None:
        """Appends the calls of one more hop: the last one.

        Raises:
            Drop: a value looks like a reference.
        """
        hop = hops[-1]
        match hop:
            case ApiHop(query=query):
                values = [self._given(item, hops) for item in hop.inputs]
                self._references.append(self._api(query, values))
            case FactHop(stated=stated):
                self._search(self._query(hop, hops), f"Search for the {stated.fact.noun}.", stated.document)
            case FindHop(stated=stated):
                self._search(self._query(hop, hops), f"Search for the {stated.fact.noun}.", stated.document)
            case QuoteHop(quote=quote):
                self._search(quote.text, "Search for the description.", quote.document)

    def _given(self, item: Input, hops: Sequence[Hop]) -> Value:
        """The value itself, or a reference where an earlier API call brought it up."""
        if item.source is None or not isinstance(hops[item.source], ApiHop):
            if isinstance(item.value, str) and REFERENCE.fullmatch(item.value):
                raise Drop("a value that looks like a reference")
            return item.value
        return self._references[item.source]

    def _query(self, hop: FactHop | FindHop, hops: Sequence[Hop]) -> str:
        given = self._given(hop.inputs[0], hops)
        return str(given) if given != hop.inputs[0].value else f"{given} {hop.stated.fact.noun}"

    def _search(self, query: str, thought: str, document: str) -> None:
        arguments = {"collection": self._collection, "query": query}
        self._call("retrieve_documents", arguments, thought, document)
        self._references.append("")

    def _api(self, query: Query, values: Sequence[Value]) -> str:
        match self._granularity:
            case Granularity.REST:
                arguments = dict(zip(query.inputs, values, strict=True))
                number = self._call(query.endpoint.name, arguments, rest_thought(query))
                return f"$var_{number}.{query.endpoint.key}.0$"
            case Granularity.SLOT_FILLING:
                return self._slot_filling(query, values)
            case Granularity.SELECTION:
                return self._selection(query, values)

    def _slot_filling(self, query: Query, values: Sequence[Value]) -> str:
        label = self._start(query)
        for column, value, condition in _filters(query, values):
            filters = {"data_label": label, "key_name": column, "value": value, "condition": condition}
            label = self._handle("filter_data", filters, f"Keep the matching {column}.")
        if query.kind in (Kind.TOP, Kind.BOTTOM):
            order = {"data_label": label, "key_name": query.target, "ascending": query.kind is Kind.BOTTOM}
            label = self._handle("sort_data", order, f"Sort by {query.target}.")
        if query.output:
            arguments: dict[str, Any] = {"data_label": label, "key_name": query.output}
            if query.kind in (Kind.TOP, Kind.BOTTOM):
                arguments["limit"] = 1
            number = self._call("retrieve_data", arguments, f"Read the {query.output}.")
            return f"$var_{number}.{query.output}.0$"
        operation, column = _operation(query)
        arguments = {"data_label": label, "aggregation_operation": operation, "key_name": column}
        number = self._call("aggregate_data", arguments, f"Compute the {operation}.")
        return f"$var_{number}.result$"

    def _selection(self, query: Query, values: Sequence[Value]) -> str:
        label = self._start(query)
        for column, value, condition in _filters(query, values):
            arguments = {"data_label": label, "key_name": column, "value": value}
            label = self._handle(f"select_data_{condition}", arguments, f"Keep the matching {column}.")
        if query.kind in (Kind.TOP, Kind.BOTTOM):
            order = "descending" if query.kind is Kind.TOP else "ascending"
            arguments = {"data_label": label, "key_name": query.target}
            label = self._handle(f"sort_data_{order}", arguments, f"Sort by {query.target}.")
            label = self._handle("truncate", {"truncate_array": label, "n": 1}, "Keep the first one.")
        if query.output:
            number = self._call(f"get_{query.output}s", {"data_label": label}, f"Read the {query.output}.")
            return f"$var_{number}.{query.output}.0$"
        operation, column = _operation(query)
        arguments = {"data_label": label, "key_name": column}
        number = self._call(f"compute_data_{operation}", arguments, f"Compute the {operation}.")
        return f"$var_{number}.result$"

    def _start(self, query: Query) -> str:
        return self._handle(
            "get_data", {"tool_universe_id": query.view.id}, f"Start from the {query.view.table.plural}."
        )

    def _handle(self, name: str, arguments: dict[str, Any], thought: str) -> str:
        return f"$var_{self._call(name, arguments, thought)}.handle$"

    def _call(self, name: str, arguments: dict[str, Any], thought: str, document: str = "") -> int:
        for number, call in enumerate(self.calls, 1):
            if call.name == name and call.arguments == arguments:
                return number
        self.calls.append(GoldCall(name, arguments, thought, document))
        return len(self.calls)


def rest_thought(query: Query) -> str:
    """What an agent says before it calls the query's endpoint."""
    table = query.view.table
    match query.kind:
        case Kind.LOOKUP:
            return f"Look up the {query.view.fields[query.target].noun}."
        case Kind.LIST:
            return f"List the {table.plural}."
        case Kind.COUNT:
            return f"Count the {table.plural}."
        case Kind.TOP | Kind.BOTTOM:
            word = superlative(query.kind, query.view.fields[query.target].field)
            return f"Find the {word} {table.singular}." if word else f"Rank the {table.plural}."
        case _:
            return f"Compute the {computed_word(query.kind)} {query.view.fields[query.target].noun}."


def _filters(query: Query, values: Sequence[Value]) -> list[tuple[str, Value, str]]:
    found = [(column, value, "equal_to") for column, value in zip(query.by, values, strict=False)]
    if query.over:
        found.append((query.over, values[-1], "greater_than"))
    return found


def _operation(query: Query) -> tuple[str, str]:
    match query.kind:
        case Kind.COUNT:
            return "count", query.by[0]
        case _:
            return query.kind.value, query.target


def documents(calls: Sequence[GoldCall]) -> tuple[str, ...]:
    """Ids of the documents that searches among the calls have to bring up."""
    return tuple(call.document for call in calls if call.document)
