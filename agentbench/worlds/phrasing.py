"""Chains of hops as questions, in the sentence patterns of one split."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from agentbench.config.tasks import Split
from agentbench.tasks.answers import number_text
from agentbench.worlds.domain import Domain, Kind
from agentbench.worlds.frames import FRAMES, frame_indexes
from agentbench.worlds.hops import ApiHop, FactHop, FindHop, Hop, Input, QuoteHop
from agentbench.worlds.names import plural
from agentbench.worlds.views import Query, computed_word, superlative

_SUBJECTS = ("who ", "which ", "how many ")
"""Clauses that begin so and end with the entity are also questions as they stand."""


class Given(NamedTuple):
    """What stands for an input in a question; `noun` says what it is where it is no value but a phrase."""

    text: str
    noun: str = ""


class Phraser:
    """Words for one task; remembers which frames it used."""

    def __init__(self, domain: Domain, split: Split, rng: Random) -> None:
        self._domain = domain
        self._split = split
        self._rng = rng
        self.templates: list[str] = []

    def question(self, hops: Sequence[Hop], first: int) -> str:
        """The question whose answer is the last hop's, about the hops from index `first` on."""
        hop = hops[-1]
        if first and _refers(hops[first], first):
            return _sentence(self._frame("follow").format(np=self._final_phrase(hops, first)))
        asks = _clause(hop)
        if asks and self._rng.random() < 0.5:
            return self._asking(asks, self._inputs(hops, len(hops) - 1, first)[0].text)
        return _sentence(self._plain(hops, first))

    def same(self, hop: Hop) -> str:
        """The last question again, about another entity."""
        x = " and ".join(self._text(item) for item in hop.inputs)
        return _sentence(self._frame("same").format(x=x))

    def missing(self, noun: str, item: Input) -> str:
        """A question about something that no source holds."""
        phrase = self._frame("of").format(noun=noun, x=self._text(item))
        return _sentence(self._frame("value").format(np=phrase))

    def _asking(self, asks: str, x: str) -> str:
        clause = asks.format(x)
        if (
            self._split is Split.TRAIN
            and asks.startswith(_SUBJECTS)
            and asks.endswith("{}")
            and self._rng.random() < 0.3
        ):
            self.templates.append(f"{self._domain.name}.ask/direct")
            return _sentence(f"{clause}?")
        return _sentence(self._frame("ask").format(ask=clause))

    def _plain(self, hops: Sequence[Hop], first: int) -> str:
        last = len(hops) - 1
        match hops[last]:
            case ApiHop(query=query) as hop if query.kind in (Kind.LIST, Kind.COUNT):
                group = "list" if query.kind is Kind.LIST else "count"
                return self._frame(group).format(things=things(hop, self._inputs(hops, last, first)))
            case ApiHop(query=query) if query.kind in (Kind.TOP, Kind.BOTTOM):
                group = "entity"
            case FindHop() | QuoteHop():
                group = "entity"
            case FactHop(stated=stated) if len(stated.values) > 1:
                group = "plural"
            case _:
                group = "value"
        return self._frame(group).format(np=self._phrase(hops, last, first))

    def _final_phrase(self, hops: Sequence[Hop], first: int) -> str:
        last = len(hops) - 1
        match hops[last]:
            case ApiHop(query=query) as hop if query.kind in (Kind.LIST, Kind.COUNT):
                matching = things(hop, self._inputs(hops, last, first))
                return f"the {matching}" if query.kind is Kind.LIST else f"the number of {matching}"
            case _:
                return self._phrase(hops, last, first)

    def _phrase(self, hops: Sequence[Hop], index: int, first: int) -> str:
        """The answer of one hop as a noun phrase."""
        hop, given = hops[index], self._inputs(hops, index, first)
        match hop:
            case ApiHop(query=query) if query.kind is Kind.LOOKUP:
                return self._frame("of").format(noun=query.view.fields[query.target].noun, x=given[0].text)
            case ApiHop(query=query) if query.kind in (Kind.TOP, Kind.BOTTOM):
                return self._ranked(query, given)
            case ApiHop(query=query):
                noun = query.view.fields[query.target].noun
                by = conditions(query, given)
                return self._frame("computed").format(
                    word=computed_word(query.kind), noun=noun, plural=query.view.table.plural, by=by
                )
            case FactHop(stated=stated):
                noun = plural(stated.fact.noun) if len(stated.values) > 1 else stated.fact.noun
                return self._frame("of").format(noun=noun, x=given[0].text)
            case FindHop(stated=stated):
                table = self._domain.table(stated.table)
                by = condition(stated.fact.by, given[0])
                return self._frame("find").format(singular=table.singular, plural=table.plural, by=by)
            case QuoteHop(quote=quote):
                table = self._domain.table(quote.table)
                by = f"described as '{quote.text}'"
                return self._frame("find").format(singular=table.singular, plural=table.plural, by=by)

    def _ranked(self, query: Query, given: Sequence[Given]) -> str:
        field, table = query.view.fields[query.target].field, query.view.table
        word = superlative(query.kind, field)
        group = "top" if word else "with"
        most = word or ("highest" if query.kind is Kind.TOP else "lowest")
        return self._frame(group).format(
            most=most, noun=field.noun, singular=table.singular, plural=table.plural, by=conditions(query, given)
        )

    def _inputs(self, hops: Sequence[Hop], index: int, first: int) -> list[Given]:
        given: list[Given] = []
        for item in hops[index].inputs:
            if item.source is None:
                given.append(Given(self._text(item)))
                continue
            noun = self._noun(hops[item.source])
            text = self._phrase(hops, item.source, first) if item.source >= first else f"that {noun}"
            given.append(Given(text, noun))
        return given

    def _noun(self, hop: Hop) -> str:
        if hop.gives in {table.name for table in self._domain.tables}:
            return self._domain.table(hop.gives).singular
        match hop:
            case FactHop(stated=stated):
                return stated.fact.noun
            case ApiHop(query=query):
                return query.view.fields[query.output].noun
            case _:
                return hop.gives

    def _text(self, item: Input) -> str:
        name, _, column = item.column.partition(".")
        table, value = self._domain.table(name), item.value
        text = number_text(value) if isinstance(value, float) else str(value)
        if column != table.key:
            return text
        if table.field(column).type != "TEXT":
            return f"{table.singular} {text}"
        return f'"{text}"' if table.quoted else text

    def _frame(self, group: str) -> str:
        index = self._rng.choice(frame_indexes(group, self._split))
        self.templates.append(f"{self._domain.name}.{group}/{index}")
        return FRAMES[group][index]


def things(hop: ApiHop, given: Sequence[Given]) -> str:
    """The rows that match: `films directed by X longer than 90 minutes`."""
    other = "other " if hop.others else ""
    return f"{other}{hop.query.view.table.plural} {conditions(hop.query, given)}"


def conditions(query: Query, given: Sequence[Given]) -> str:
    """The conditions behind a noun: `directed by X longer than 90 minutes`."""
    fields = query.view.fields
    parts = [condition(fields[name].by, item) for name, item in zip(query.by, given, strict=False)]
    if query.over:
        parts.append(condition(fields[query.over].over, given[-1]))
    joined = parts[0]
    for part in parts[1:]:
        joined += f" and {part}" if part.startswith("whose ") else f" {part}"
    return joined


def condition(pattern: str, given: Given) -> str:
    """One condition filled in: `with the code 33`, but `with that code` and `with the code of X`."""
    if given.noun:
        pattern = pattern.replace(f"the {given.noun} {{}}", "{}").replace("the {}", "{}")
    return pattern.format(given.text)


def _clause(hop: Hop) -> str:
    match hop:
        case ApiHop(query=query) if query.kind is Kind.LOOKUP:
            return query.view.fields[query.target].field.clause
        case FactHop(stated=stated):
            return stated.fact.clause
        case _:
            return ""


def _refers(hop: Hop, first: int) -> bool:
    return any(item.source is not None and item.source < first for item in hop.inputs)


def _sentence(text: str) -> str:
    """A capital in front; no second full stop behind a name that ends in one."""
    ended = text[:-1] if text.endswith("..") and not text.endswith("...") else text
    return ended[0].upper() + ended[1:]
