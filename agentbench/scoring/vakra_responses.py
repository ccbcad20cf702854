"""Did an episode bring up everything that the gold calls bring up? Two comparisons: JSON values, and strings.

JSON: objects have no order of keys, 1 equals 1.0, other numbers are equal to 12 digits, and the name of a handle,
which depends on the calls made before, does not count. A gold response without column names, as older files have
them, is compared with the values alone. A retriever's gold response is there when each of its documents came up in
some search; ranks and distances do not count.

Strings: both sides written by Python's `str`, as the published evaluator compares them, retrievers' results cut down
to their texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import orjson

from agentbench.scoring.vakra_case import Made
from agentbench.types import Outcome, ToolKind


def missing_values(gold: Sequence[Any], made: Iterable[Made]) -> list[int]:
    """Which gold responses, numbered from 1, no successful call brought up as JSON."""
    seen = [value_of(call.observation.text) for call in made if call.observation.outcome is Outcome.OK]
    named = {_plain(value) for value in seen}
    bare = {_plain(_bare(value)) for value in seen}
    texts = {text for value in seen for text in documents_of(value) or ()}
    return [number for number, value in enumerate(gold, 1) if not _is_there(value_of(value), named, bare, texts)]


def missing_strings(gold: Sequence[Any], made: Iterable[Made]) -> list[int]:
    """Which gold responses, numbered from 1, do not occur as strings among those of the calls, failed ones included."""
    seen = set(response_strings(made))
    wanted = ((value, documents_of(value)) for value in map(value_of, gold))
    strings = [str(value if texts is None else texts) for value, texts in wanted]
    return [number for number, string in enumerate(strings, 1) if string not in seen]


def response_strings(made: Iterable[Made]) -> Iterator[str]:
    """The responses of calls as strings; of a retriever only the texts it found, of a failed one an empty list."""
    for call in made:
        value = value_of(call.observation.text)
        if call.kind is ToolKind.RETRIEVER:
            value = documents_of(value) or []
        yield str(value)


def value_of(response: Any) -> Any:
    """A response's JSON value; a string that is no JSON stands for itself."""
    if not isinstance(response, str):
        return response
    try:
        return orjson.loads(response)
    except orjson.JSONDecodeError:
        return response


def documents_of(value: Any) -> list[str] | None:
    """The texts of a retriever's result, with or without the object around the list; `None` for other values."""
    hits = value.get("results") if isinstance(value, dict) else value
    if not isinstance(hits, list) or not hits:
        return [] if isinstance(value, dict) and hits == [] else None
    texts = [hit["text"] for hit in hits if isinstance(hit, dict) and isinstance(hit.get("text"), str)]
    return texts if len(texts) == len(hits) else None


def _is_there(gold: Any, named: set[Any], bare: set[Any], texts: set[str]) -> bool:
    documents = documents_of(gold)
    if documents:
        return texts.issuperset(documents)
    return _plain(gold) in (named if isinstance(gold, dict) else bare | named) or (
        not isinstance(gold, dict) and _plain(_bare(gold)) in bare
    )


def _bare(value: Any) -> Any:
    """A value without the name of its only column, and rows of one cell as that cell."""
    if isinstance(value, dict) and len(value) == 1:
        value = next(iter(value.values()))
    if isinstance(value, list):
        return [item[0] if isinstance(item, list) and len(item) == 1 else item for item in value]
    return value


def _plain(value: Any) -> Any:
    """A hashable form in which values are equal that count as equal."""
    match value:
        case dict():
            peek = "handle" in value and "num_records" in value
            return frozenset((key, _plain(item)) for key, item in value.items() if not (peek and key == "handle"))
        case list():
            return tuple(_plain(item) for item in value)
        case bool():
            return ("bool", value)
        case float():
            return None if value != value else float(f"{value:.12g}")
        case _:
            return value
