"""Documents written from facts: one short card per entity, one regular sentence per fact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from agentbench.tools.retriever import Document
from agentbench.worlds.domain import Card, Corpus, Quote, Stated, Value


class CardContent(NamedTuple):
    """What is written on the card of one entity."""

    facts: Mapping[str, tuple[Value, ...]]
    """Values by fact name; a fact without values is left out."""
    prose: tuple[str, ...] = ()
    """Sentences that stand behind the facts."""


def write_cards(domain: str, card: Card, contents: Mapping[str, CardContent]) -> Corpus:
    """The cards of one table's entities, in the order given; entities without any content get none."""
    documents: list[Document] = []
    stated: list[Stated] = []
    quotes: list[Quote] = []
    for number, (entity, content) in enumerate(contents.items(), 1):
        identifier = f"{domain}-{card.table}-{number:04d}"
        facts = [
            Stated(card.table, entity, fact, content.facts[fact.name], identifier)
            for fact in card.facts
            if content.facts.get(fact.name)
        ]
        if not facts and not content.prose:
            continue
        text = " ".join([*(sentence(item) for item in facts), *content.prose])
        documents.append(Document(identifier, entity, text))
        stated.extend(facts)
        quotes.extend(_quotes(card.table, entity, content.prose, identifier))
    return Corpus(tuple(documents), tuple(stated), tuple(quotes))


def join(corpora: Sequence[Corpus]) -> Corpus:
    """Several corpora as one."""
    return Corpus(
        tuple(document for corpus in corpora for document in corpus.documents),
        tuple(item for corpus in corpora for item in corpus.stated),
        tuple(item for corpus in corpora for item in corpus.quotes),
    )


def sentence(item: Stated) -> str:
    """A fact as its document says it."""
    return item.fact.sentence.format(entity=item.entity, value=enumeration(item.values))


def enumeration(values: Sequence[Value]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"


def _quotes(table: str, entity: str, prose: Sequence[str], document: str) -> Iterator[Quote]:
    for text in prose:
        if entity.casefold() not in text.casefold():
            yield Quote(table, entity, text, document)
