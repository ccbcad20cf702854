"""What a sentence says about kinds of tool: which it names, which of them it forbids, and which topics it is about."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from agentbench.tasks.topics import TOPIC_WORDS, topic_group

API, DOCUMENTS = "‹api›", "‹documents›"
"""The marks that wordings of the two kinds of tool are replaced by."""
_OTHERS, _TOPIC = "‹others›", "‹topic›"
_KINDS = rf"{API}|{DOCUMENTS}|{_OTHERS}"
_KIND = re.compile(_KINDS)
_OPPOSITE = {API: DOCUMENTS, DOCUMENTS: API}

_STANDS_FOR = (
    (re.compile(r"\boff[- ]limits\b|\bout of bounds\b"), "forbidden"),
    (re.compile(r",? under any circumstances?\b,?"), ""),
    (re.compile(r"\bdon't\b|\bdo not\b"), "not"),
    (re.compile(r"\b(can|must|should|shall|could|would|is|are|may|need)(?:n't|not)\b"), r"\1 not"),
    (re.compile(r"\bnon[- ](?:document |text )?(?:retriev\w+|search)(?: tools?| calls?)?\b"), API),
    (re.compile(r"\bnon[- ]api(?: tools?| calls?)?\b"), DOCUMENTS),
    (
        re.compile(r"\b(?:api|database) (?:keys?|schemas?|names?|errors?|documentation|docs|responses?|results?)\b"),
        "it",
    ),
    (re.compile(r"\bsearch\w*(?: (?:the|a|any|our))? (?:databases?|sql)\b"), API),
    (
        re.compile(
            r"\bquery_\w+|\bretrieve_documents\b|\b(?:(?:documents?|text|passages?|semantic|vector)[- ])?"
            r"(?:retriev(?:ers?|als?|ing|e)|search(?:es|ing)?)\b(?: (?:tools?|calls?|functions?|apis?)\b)?"
            r"|\b(?:documents?|passages?|corpus|corpora|rag|knowledge bases?)\b"
            r"(?: (?:collections?|stores?|bases?|tools?)\b)?|\bcollections?\b"
        ),
        DOCUMENTS,
    ),
    (
        re.compile(
            r"\b(?:(?:rest|data|database|sql|structured|web|http)[- ])*apis?\b"
            r"(?: (?:calls?|tools?|endpoints?|functions?)\b)?|\bdatabases?\b(?: (?:calls?|tools?|queries|query)\b)?"
            r"|\b(?:sql|endpoints?)\b|\bstructured (?:data|tools?|sources?)\b"
        ),
        API,
    ),
    (
        re.compile(
            r"\b(?:any |all |the )*(?:others?|another|different|remaining)\b(?! than| ‹)"
            r"(?: (?:types?|kinds?|sorts?)\b(?: of)?)?(?: (?:tools?|sources?|functions?|means)\b)?"
            r"|\b(?:anything|something) else\b"
        ),
        _OTHERS,
    ),
    (re.compile(r"\bnothing else\b"), f"no {_OTHERS}"),
)
"""Wordings of one thing, in the order they are replaced in lower-case text."""

_LIST_OF_TOPICS = re.compile(rf"{_TOPIC}(?:(?:\s*(?:,|&|/|\band\b|\bor\b)\s*)+(?:the )?{_TOPIC})+")
_TOPIC_LEFT_OUT = re.compile(
    rf"\b(?:except|unless|excluding|other than|apart from|aside from|outside|not|n't|besides)\b"
    r"(?: (?:for|about|on|in|of|to|the|those|any|questions?|queries|is|are|related|from|concerning)\b)*"
    rf"\s*{_TOPIC}"
)
_ASKED = r"(?:questions?|queries|query|requests?|tasks?|topics?|everything|anything|problems?)"
_ABOUT = (
    r"(?:about|on|regarding|concerning|related to|relating to|pertaining to|dealing with|touching on|in|from|within)"
)
_UNKNOWN_TOPIC = (
    re.compile(
        rf"\b{_ASKED} (?:(?:that|which) )?(?:is |are |deals? |asks? )?{_ABOUT} "
        r"(?:the )?(?:(?:topic|domain|field|area|subject|category|group) (?:of )?)?"
        r"([a-z][\w -]*?)(?= use\b| never\b| only\b|$|[,:‹])"
    ),
    re.compile(
        r"\b(?:for|on|answer|about|regarding|concerning) "
        r"((?!all |any |every |these |those |such |the |your )[a-z][\w-]*) (?:questions|queries)\b"
    ),
    re.compile(r"^for ((?!all |any |every |this |these |each |it$)[a-z][\w -]*?)(?=[,:])"),
    re.compile(r"\b(?:about|regarding|concerning) ([a-z][\w -]*)$"),
)
_NO_TOPIC = re.compile(
    rf"(?:(?:{_ASKED}|all|any|every|each|the|this|these|that|those|such|your|our|users?|user's|given|it|them|case"
    r"|answering|answers?|here) ?)+"
)
_POINTS_BACK = re.compile(r"\bin (?:that|this|such a?) ?case\b|\b(?:these|those|such|them)\b|\bthere\b")

_NO_FAMILY = re.compile(
    r"\b(?:prefer\w*|first|before|after|unless|until|if possible|where possible|when possible|whenever possible|ideally"
    r"|usually|generally|normally|mostly|mainly|primarily|at most|at least|more than|fewer than|once|twice|last resort"
    r"|fall ?back|both|need not|not need|not have to|feel free|optional|recommended|necessary|needed"
    r"|only (?:if|when|whenever|once|as))\b"
    r"|\b(?:not|never|n't) (?:\w+ )?(?:only|just|solely|exclusively)\b"
)
_CONDITION = re.compile(r"\b(?:if|when|whenever|where|in case|provided|as long as|while)\b([^,]*)")
_EXCEPT = re.compile(
    r"\b(?:other than|except|apart from|aside from|besides|(?:nothing|anything|none|no \w+|any \w+) but)\b"
    rf"(?: \w+){{0,3}}? ({API}|{DOCUMENTS})"
)
_CLAUSE = re.compile(
    r"[,:()–—]| but (?!‹)| instead\b(?! of)"
    r"| and (?=(?:never|not|only|no|use|call|search|avoid|you|nothing|answer|rely)\b)"
)
_BEFORE = (
    r"never|not|no|without|avoid(?:ing)?|refrain|instead of|rather than|neither|nor|exclude|skip|ignore|away from"
    r"|leave out"
)
_AFTER = r"forbidden|prohibited|banned|disallowed|barred|excluded|ruled out"
_NEGATION = re.compile(rf"\b(?:(?P<before>{_BEFORE})|(?P<after>{_AFTER}))\b")
_USES = (
    r"us(?:e|es|ed|ing|age)|call\w*|consult\w*|quer(?:y|ies|ied|ying)|touch\w*|rel(?:y|ies|ied|ying)|access\w*"
    r"|employ\w*|invok\w*|run\w*|mak(?:e|ing)|made|answer\w*|work\w*|turn\w*|look\w*|resort\w*|draw\w*|depend\w*"
    r"|read\w*|consider\w*"
    r"|utili[sz]\w*|leverag\w*|reach\w*|base[ds]?|appl\w*|involv\w*|execut\w*|select\w*|pick\w*|choos\w*|trigger\w*|go"
    r"|taken?|allowed|permitted|accepted|acceptable|an option|permissible"
)
_USE = re.compile(rf"\b(?:{_USES})\b")
_LITTLE = re.compile(
    rf"(?:\W|{_KINDS}"
    r"|\b(?:the|an?|any|all|every|of|from|with|by|on|in|for|to|at|kind|type|sort|tools?|more|single|be)\b)*"
)
_DESCRIBES = re.compile(
    r"\b(?:returns?|holds?|contains?|has|gives?|knows?|lists?|shows?|includes?|provides?|covers?)\b"
)
_EXCLUSIVE = re.compile(
    r"\b(?:only|solely|exclusively|alone|just|purely|restrict(?:ed)?|limit(?:ed)?|confined?|stick to|sticking to)\b"
)


class Segment(NamedTuple):
    """A sentence, or its part up to a semicolon, with its topics and kinds of tool replaced by marks."""

    text: str
    topics: tuple[str, ...]
    continues: bool
    """Whether it stands after a semicolon and so in the scope of what came before."""


def segments(text: str) -> Iterator[Segment]:
    """The segments of a text, in lower case, none of them empty."""
    plain = text.replace("’", "'").replace("`", "").casefold()
    for sentence in re.split(r"[.!?]+(?=\s|$)|[\n•*]+", plain):
        for index, part in enumerate(sentence.split(";")):
            words = " ".join(part.split())
            if words:
                yield _segment(words, index > 0)


def named_kinds(segment: Segment) -> tuple[str, ...]:
    """The marks of the kinds that a segment names, in order."""
    return tuple(found for found in _KIND.findall(segment.text) if found != _OTHERS)


def points_back(segment: Segment) -> bool:
    """Whether a segment without topics of its own speaks about those of the one before."""
    return segment.continues or _OTHERS in segment.text or _POINTS_BACK.search(segment.text) is not None


def _segment(words: str, continues: bool) -> Segment:
    groups = tuple(dict.fromkeys(topic_group(found) for found in TOPIC_WORDS.findall(words)))
    marked = _LIST_OF_TOPICS.sub(_TOPIC, TOPIC_WORDS.sub(_TOPIC, words))
    for pattern, replacement in _STANDS_FOR:
        marked = pattern.sub(replacement, marked)
    return Segment(marked, groups or _unknown_topic(marked), continues)


def _unknown_topic(marked: str) -> tuple[str, ...]:
    for pattern in _UNKNOWN_TOPIC:
        for found in pattern.findall(marked):
            if not _NO_TOPIC.fullmatch(found.strip()):
                return (topic_group(found),)
    return ()


def forbidden_kinds(segment: Segment, context: str) -> frozenset[str]:
    """The marks of the kinds that a segment forbids; the context is the kind that was spoken of before, or empty."""
    text = segment.text
    if _NO_FAMILY.search(text) or _TOPIC_LEFT_OUT.search(text) or _conditional(text):
        return frozenset()
    exception = _EXCEPT.search(text)
    if exception:
        kind = exception[1]
        return frozenset({_OPPOSITE[kind] if _NEGATION.search(text) or "nothing but" in text else kind})
    said: set[str] = set()
    for clause in _CLAUSE.split(text):
        kinds = _kinds(clause, context)
        context = next((kind for _, kind in kinds), context)
        said |= _said(clause, kinds)
    return frozenset(said)


def _conditional(text: str) -> bool:
    return any(
        _KIND.search(condition) or not re.search(rf"{_TOPIC}|\b(?:{_ASKED}|answer\w*|ask\w*)\b", condition)
        for condition in _CONDITION.findall(text)
    )


def _kinds(clause: str, context: str) -> list[tuple[int, str]]:
    """The kinds a clause names and where; "others" are what the context is not, or nothing without one."""
    kinds: list[tuple[int, str]] = []
    for found in _KIND.finditer(clause):
        kind = _OPPOSITE.get(context, "") if found[0] == _OTHERS else found[0]
        if kind:
            kinds.append((found.start(), kind))
            context = context if found[0] == _OTHERS else kind
    return kinds


def _said(clause: str, kinds: list[tuple[int, str]]) -> set[str]:
    """What one clause forbids: kinds whose use it negates, and the opposite of the one kind it restricts to."""
    negated: set[str] = set()
    for negation in _NEGATION.finditer(clause):
        negated |= _negated(clause, kinds, negation)
    left = {kind for _, kind in kinds} - negated
    if _EXCLUSIVE.search(clause) and len(left) == 1 and not negated and not _DESCRIBES.search(clause):
        return {_OPPOSITE[kind] for kind in left}
    return negated


def _negated(clause: str, kinds: list[tuple[int, str]], negation: re.Match[str]) -> set[str]:
    """The kinds on the negation's side of the clause; "not complete" or "do not mention" are no negated use."""
    after = {kind for place, kind in kinds if place > negation.start()}
    before = {kind for place, kind in kinds if place < negation.start()}
    if negation["after"]:
        return before or after
    rest = clause[negation.end() :]
    if not after:
        return before if _USE.search(rest) else set()
    between = rest[: min(place for place, _ in kinds if place > negation.start()) - negation.end()]
    return after if _USE.search(between) or _LITTLE.fullmatch(between) else set()
