"""What a user's documents say about the entities of the database, as far as simple patterns can tell.

    subject    the entity that a heading or the file's name names, else the only one a passage mentions
    facts      `Founder: Ann Lee` about the subject; `The founder of Acme is Ann Lee.`; `Acme's founder is Ann Lee.`
    quotes     sentences about the subject with its name left out

Names are found where they stand letter for letter. Left out: what the database knows too, what two passages state
differently, and what is longer than an answer should be. Statements in any other form are still searched, but no
question is made from them.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agentbench.worlds.documents import leaks
from agentbench.worlds.domain import Corpus, Domain, Fact, Quote, Role, Stated, Value
from agentbench.worlds.names import slug
from agentbench.worlds.own_documents import Passage

MOST_VALUE_CHARACTERS = 60
QUOTES_PER_ENTITY = 3
BLANK = "…"

_WORD = re.compile(r"\w+")
_LINE = re.compile(r"^(?:[-*]\s+)?\**(?P<noun>[A-Za-z][\w ()/-]{1,30}?)\**\s*:\**\s+(?P<value>\S.*?)\s*$", re.MULTILINE)
_END = r"(?P<value>(?:[^.;!?]|\.(?=\d))+)[.;!?](?=\s|$)"
_OF = re.compile(
    rf"\b[Tt]he (?P<noun>[a-z][a-z -]{{1,30}}?) (?:of|for) (?P<entity>[^.;:!?]{{1,150}}?) (?:is|was) {_END}"
)
_GENITIVE = re.compile(rf"(?P<entity>[^.;:!?]{{1,150}}?)['’]s? (?P<noun>[a-z][a-z -]{{1,30}}?) (?:is|was) {_END}")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


class Entity(NamedTuple):
    """A row by its table and name."""

    table: str
    name: str


class _Said(NamedTuple):
    """One statement: of an entity, under a noun, in a document."""

    entity: Entity
    noun: str
    value: str
    document: str


def own_corpus(domain: Domain, rows: Mapping[str, list[dict[str, Any]]], passages: Sequence[Passage]) -> Corpus:
    """The passages with the facts and quotes found in them."""
    known = _Names(domain, rows)
    said: list[_Said] = []
    quotes: list[Quote] = []
    texts: dict[str, list[str]] = defaultdict(list)
    for passage in passages:
        mentioned = known.mentioned(passage.document.text)
        subject = known.subject(passage, mentioned)
        said.extend(_statements(passage, subject, known))
        for entity in {*mentioned, subject} - {None}:
            texts[entity.name].append(passage.document.text)
        if subject is not None:
            quotes.extend(_quotes(passage, subject, known))
    facts = _facts(said, domain, rows)
    documents = tuple(passage.document for passage in passages)
    return Corpus(documents, facts, _distinct(quotes), {name: "\n".join(parts) for name, parts in texts.items()})


class _Names:
    """Names of the database's entities, found in text word by word."""

    def __init__(self, domain: Domain, rows: Mapping[str, list[dict[str, Any]]]) -> None:
        self.rows: dict[Entity, dict[str, Any]] = {}
        self._by_words: dict[tuple[str, ...], Entity | None] = {}
        for table in domain.tables:
            if not table.key or table.field(table.key).type != "TEXT":
                continue
            for row in rows[table.name]:
                if row[table.key] is None:
                    continue
                entity = Entity(table.name, row[table.key])
                self.rows[entity] = row
                words = tuple(_WORD.findall(entity.name))
                if len(entity.name) >= 3 and words:
                    # A name that two tables have stands for neither.
                    self._by_words[words] = None if words in self._by_words else entity
        self._longest = max(map(len, self._by_words), default=0)
        self._folded = {" ".join(words).casefold(): entity for words, entity in self._by_words.items() if entity}

    def mentioned(self, text: str) -> list[Entity]:
        """Entities in the order of their first mention; of overlapping names the longest."""
        words = _WORD.findall(text)
        found: dict[Entity, None] = {}
        index = 0
        while index < len(words):
            for length in range(min(self._longest, len(words) - index), 0, -1):
                entity = self._by_words.get(tuple(words[index : index + length]))
                if entity is not None:
                    found[entity] = None
                    index += length - 1
                    break
            index += 1
        return list(found)

    def called(self, text: str) -> Entity | None:
        """The entity whose name this is, whatever its case."""
        return self._folded.get(" ".join(_WORD.findall(text)).casefold())

    def subject(self, passage: Passage, mentioned: list[Entity]) -> Entity | None:
        """The entity a passage is about."""
        for heading in passage.headings:
            entity = self.called(heading)
            if entity is not None:
                return entity
        return mentioned[0] if len(mentioned) == 1 else None


def _statements(passage: Passage, subject: Entity | None, known: _Names) -> Iterator[_Said]:
    text, document = passage.document.text, passage.document.id
    if subject is not None:
        for match in _LINE.finditer(text):
            yield _Said(subject, match["noun"].strip().lower(), match["value"].strip("* "), document)
    for pattern in (_OF, _GENITIVE):
        for match in pattern.finditer(text):
            entity = known.called(re.sub(r"^[Tt]he ", "", match["entity"].strip()))
            if entity is not None:
                yield _Said(entity, match["noun"].strip(), match["value"].strip(), document)


def _facts(said: Sequence[_Said], domain: Domain, rows: Mapping[str, list[dict[str, Any]]]) -> tuple[Stated, ...]:
    by_subject: dict[tuple[Entity, str], list[_Said]] = defaultdict(list)
    for item in said:
        if 0 < len(item.value) <= MOST_VALUE_CHARACTERS and "://" not in item.value:
            by_subject[item.entity, item.noun].append(item)
    names = {table.name: {row[table.key]: row for row in rows[table.name]} for table in domain.tables if table.key}
    kept = [
        items[0]
        for (entity, _), items in by_subject.items()
        if len({item.value for item in items}) == 1
        and not leaks(items[0].value, entity.name, names[entity.table][entity.name].values())
    ]
    facts = _fact_kinds(kept, domain, rows)
    return tuple(
        Stated(
            item.entity.table,
            item.entity.name,
            facts[item.entity.table, item.noun],
            (_value(item.value),),
            item.document,
        )
        for item in kept
    )


def _fact_kinds(
    said: Sequence[_Said], domain: Domain, rows: Mapping[str, list[dict[str, Any]]]
) -> dict[tuple[str, str], Fact]:
    values: dict[tuple[str, str], list[str]] = defaultdict(list)
    for item in said:
        values[item.entity.table, item.noun].append(item.value)
    named = _named_values(domain, rows)
    found: dict[tuple[str, str], Fact] = {}
    for (table, said_as), stated in values.items():
        number = all(_NUMBER.fullmatch(value) for value in stated)
        found[table, said_as] = Fact(
            name=slug(said_as, "fact"),
            noun=said_as,
            sentence="",
            values="" if number else _named_by(stated, named) or f"{table} {said_as}",
            by="" if number else f"whose {said_as} is {{}}",
            number=number,
        )
    return found


def _named_values(domain: Domain, rows: Mapping[str, list[dict[str, Any]]]) -> dict[str, set[Value]]:
    """By what they name: the values of all columns that questions can be asked by."""
    found: dict[str, set[Value]] = defaultdict(set)
    for table in domain.tables:
        for field in table.fields:
            if field.values and field.role in (Role.NAME, Role.GROUP):
                found[field.values].update(row[field.name] for row in rows[table.name])
    return found


def _named_by(stated: Sequence[str], named: Mapping[str, set[Value]]) -> str:
    shares = Counter({gives: sum(value in values for value in stated) for gives, values in named.items()})
    best = shares.most_common(1)
    return best[0][0] if best and 2 * best[0][1] >= len(stated) else ""


def _value(text: str) -> Value:
    """A number where the text is one and can be given back letter for letter."""
    if _NUMBER.fullmatch(text):
        number = float(text) if "." in text else int(text)
        return number if str(number) == text else text
    return text


def _quotes(passage: Passage, subject: Entity, known: _Names) -> Iterator[Quote]:
    row = known.rows[subject]
    for text in re.split(r"(?<=[.!?])\s+|\n", passage.document.text):
        if not text.endswith(".") or ": " in text or not 6 <= len(text.split()) <= 18:
            continue
        blanked = re.sub(rf"\b{re.escape(subject.name)}\b", BLANK, text).rstrip(".")
        others = [entity for entity in known.mentioned(text) if entity != subject]
        if subject.name not in blanked and not others and not leaks(text, subject.name, row.values()):
            yield Quote(subject.table, subject.name, blanked, passage.document.id)


def _distinct(quotes: Sequence[Quote]) -> tuple[Quote, ...]:
    times = Counter(quote.text for quote in quotes)
    left: Counter[Entity] = Counter()
    kept: list[Quote] = []
    for quote in quotes:
        entity = Entity(quote.table, quote.entity)
        if times[quote.text] == 1 and left[entity] < QUOTES_PER_ENTITY:
            left[entity] += 1
            kept.append(quote)
    return tuple(kept)
