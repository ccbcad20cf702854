"""Documents written from facts: one short card per entity, one regular sentence per fact.

What the database says about an entity must not stand in its documents, not even by coincidence (a film that took 106
million dollars and has 106 reviews): such a fact or sentence is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agentbench.tools.retriever import Document
from agentbench.worlds.domain import Card, Corpus, Quote, Stated, Value

Facts = Mapping[str, tuple[Value, ...]]
"""Values by fact name; a fact without values is left out."""
Rows = Mapping[str, Mapping[str, Any]]
"""Database rows by the entity they are about."""

_TOKEN = re.compile(r"\w+(?:[.,]\w+)*")


def write_cards(domain: str, card: Card, facts: Mapping[str, Facts], rows: Rows) -> Corpus:
    """The cards of one table's entities, in the order given; entities without any fact get none."""
    documents: list[Document] = []
    stated: list[Stated] = []
    for number, (entity, values) in enumerate(facts.items(), 1):
        identifier = f"{domain}-{card.table}-{number:04d}"
        candidates = [
            Stated(card.table, entity, fact, values[fact.name], identifier)
            for fact in card.facts
            if values.get(fact.name)
        ]
        kept = [item for item in candidates if not leaks(sentence(item), entity, rows[entity].values())]
        if kept:
            documents.append(Document(identifier, entity, " ".join(sentence(item) for item in kept)))
            stated.extend(kept)
    return Corpus(tuple(documents), tuple(stated), ())


def write_prose(domain: str, table: str, sentences: Mapping[str, Sequence[str]], rows: Rows) -> Corpus:
    """One document of sentences per entity; those that occur once and do not name the entity can be quoted."""
    times = Counter(text for texts in sentences.values() for text in texts)
    documents: list[Document] = []
    quotes: list[Quote] = []
    for number, (entity, texts) in enumerate(sentences.items(), 1):
        identifier = f"{domain}-{table}-prose-{number:04d}"
        kept = [text for text in texts if not leaks(text, entity, rows[entity].values())]
        if kept:
            documents.append(Document(identifier, entity, " ".join(kept)))
        for text in kept:
            if times[text] == 1 and entity.casefold() not in text.casefold() and not text.startswith(_VAGUE):
                quotes.append(Quote(table, entity, text.rstrip("."), identifier))
    return Corpus(tuple(documents), (), tuple(quotes))


_VAGUE = ("Also", "It ", "Its ", "These ", "They ", "This ", "Some", "Other", "Has ")


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


def leaks(text: str, entity: str, values: Iterable[Any]) -> bool:
    """Whether a text about an entity says one of the values, as whole words, the entity's own name not counted."""
    said = _words(text).replace(_words(entity), " ")
    return any(_words(str(value)) in said for value in values if value is not None and str(value) != entity)


def _words(text: str) -> str:
    return f" {' '.join(_TOKEN.findall(text.casefold()))} "
