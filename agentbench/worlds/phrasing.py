"""Chains of hops as questions, in the sentence patterns of one split."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random

from agentbench.config.tasks import Split
from agentbench.worlds.domain import Domain, Kind, Table
from agentbench.worlds.frames import FRAMES, frame_indexes
from agentbench.worlds.hops import ApiHop, FactHop, FindHop, Hop, Input, QuoteHop
from agentbench.worlds.names import plural
from agentbench.worlds.views import Query, computed_word, superlative


class Phraser:
    """Words for one task; remembers which frames it used."""

    def __init__(self, domain: Domain, split: Split, rng: Random) -> None:
        self._domain = domain
        self._split = split
        self._rng = rng
        self._quoted = {table.name for table in domain.tables if table.quoted}
        self.templates: list[str] = []

    def question(self, hops: Sequence[Hop], first: int) -> str:
        """The question whose answer is the last hop's, about the hops from index `first` on."""
        hop = hops[-1]
        if first and _refers(hops[first], first):
            return _sentence(self._frame("follow").format(np=self._final_phrase(hops, first)))
        asks = _clause(hop)
        if asks and self._rng.random() < 0.5:
            return self._asking(asks.format(self._inputs(hops, len(hops) - 1, first)[0]))
        return _sentence(self._plain(hops, first))

    def same(self, hop: Hop) -> str:
        """The last question again, about another entity."""
        texts = [self._text(item) for item in hop.inputs]
        return _sentence(self._frame("same").format(x=" and ".join(texts)))

    def missing(self, table: Table, noun: str, entity: str) -> str:
        """A question about something that no source holds."""
        x = f'"{entity}"' if table.quoted else entity
        phrase = self._frame("of").format(noun=noun, x=x)
        return _sentence(self._frame("value").format(np=phrase))

    def _asking(self, clause: str) -> str:
        if self._split is Split.TRAIN and self._rng.random() < 0.3 and clause.startswith(("who ", "which ")):
            self.templates.append(f"{self._domain.name}.ask/direct")
            return _sentence(clause + "?")
        return _sentence(self._frame("ask").format(ask=clause))

    def _plain(self, hops: Sequence[Hop], first: int) -> str:
        match hops[-1]:
            case ApiHop(query=query) if query.kind in (Kind.LIST, Kind.COUNT):
                group = "list" if query.kind is Kind.LIST else "count"
                texts = self._inputs(hops, len(hops) - 1, first)
                return self._frame(group).format(things=things(query, texts))
            case ApiHop(query=query) if query.kind in (Kind.TOP, Kind.BOTTOM):
                group = "entity"
            case FindHop() | QuoteHop():
                group = "entity"
            case FactHop(stated=stated) if len(stated.values) > 1:
                group = "plural"
            case _:
                group = "value"
        return self._frame(group).format(np=self._phrase(hops, len(hops) - 1, first))

    def _final_phrase(self, hops: Sequence[Hop], first: int) -> str:
        last = len(hops) - 1
        match hops[-1]:
            case ApiHop(query=query) if query.kind is Kind.LIST:
                return f"the {things(query, self._inputs(hops, last, first))}"
            case ApiHop(query=query) if query.kind is Kind.COUNT:
                return f"the number of {things(query, self._inputs(hops, last, first))}"
            case _:
                return self._phrase(hops, last, first)

    def _phrase(self, hops: Sequence[Hop], index: int, first: int) -> str:
        """The answer of one hop as a noun phrase."""
        hop, texts = hops[index], self._inputs(hops, index, first)
        match hop:
            case ApiHop(query=query) if query.kind is Kind.LOOKUP:
                return self._frame("of").format(noun=query.view.fields[query.target].noun, x=texts[0])
            case ApiHop(query=query) if query.kind in (Kind.TOP, Kind.BOTTOM):
                return self._ranked(query, texts)
            case ApiHop(query=query):
                noun = query.view.fields[query.target].noun
                by = conditions(query, texts)
                return self._frame("computed").format(
                    word=computed_word(query.kind), noun=noun, plural=query.view.table.plural, by=by
                )
            case FactHop(stated=stated):
                noun = plural(stated.fact.noun) if len(stated.values) > 1 else stated.fact.noun
                return self._frame("of").format(noun=noun, x=texts[0])
            case FindHop(stated=stated):
                table = self._domain.table(stated.table)
                by = condition(stated.fact.by, texts[0])
                return self._frame("find").format(singular=table.singular, plural=table.plural, by=by)
            case QuoteHop(quote=quote):
                table = self._domain.table(quote.table)
                by = f"described as '{quote.text}'"
                return self._frame("find").format(singular=table.singular, plural=table.plural, by=by)

    def _ranked(self, query: Query, texts: Sequence[str]) -> str:
        field, table = query.view.fields[query.target].field, query.view.table
        word = superlative(query.kind, field)
        group = "top" if word else "with"
        most = word or ("highest" if query.kind is Kind.TOP else "lowest")
        return self._frame(group).format(
            most=most, noun=field.noun, singular=table.singular, plural=table.plural, by=conditions(query, texts)
        )

    def _inputs(self, hops: Sequence[Hop], index: int, first: int) -> list[str]:
        texts = []
        for item in hops[index].inputs:
            if item.source is None:
                texts.append(self._text(item))
            elif item.source >= first:
                texts.append(self._phrase(hops, item.source, first))
            else:
                texts.append(f"that {self._noun(hops[item.source])}")
        return texts

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
        table, _, column = item.column.partition(".")
        named = table in self._quoted and column == self._domain.table(table).key
        return f'"{item.value}"' if named else str(item.value)

    def _frame(self, group: str) -> str:
        index = self._rng.choice(frame_indexes(group, self._split))
        self.templates.append(f"{self._domain.name}.{group}/{index}")
        return FRAMES[group][index]


def things(query: Query, texts: Sequence[str]) -> str:
    """The rows that match: `films directed by X longer than 90 minutes`."""
    return f"{query.view.table.plural} {conditions(query, texts)}"


def conditions(query: Query, texts: Sequence[str]) -> str:
    """The conditions behind a noun: `directed by X longer than 90 minutes`."""
    fields = query.view.fields
    parts = [condition(fields[name].field.by, text) for name, text in zip(query.by, texts, strict=False)]
    if query.over:
        parts.append(condition(fields[query.over].field.over, texts[-1]))
    return " ".join(parts)


def condition(pattern: str, text: str) -> str:
    """One condition filled in: `with the code {}` becomes `with the code 33`, but `with that code`."""
    if text.startswith(("that ", "the ")):
        pattern = re.sub(r"\bthe (?:[^{]* )?\{\}", "{}", pattern)
    return pattern.format(text)


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
    return text[0].upper() + text[1:]
