"""One VAKRA record in any of the forms it has been published in, as one of ours.

Accepted: turns under `dialogue.turns` or `turns`, as objects or as JSON strings of objects; gold under `ground_truth`
or `output`, its calls under `gold_sequence` or `sequence`, which is one object or a list; `tool_call` as an object, a
list, or lists in a list; turns counted from 0 or from 1; `sample_id` and `dataset_name` for `uuid` and `domain`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.errors import DataError
from agentbench.types import record

_DOMAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,79}")
_NO_NAME = "(no uuid)"


@record
class VakraCall:
    """A call as it was written; `label` is what later calls say for its result."""

    name: str
    arguments: dict[str, Any]
    label: str = ""


@record
class VakraTurn:
    """One turn of a record, with its gold where it was given."""

    turn_id: int
    query: str
    answer: Any = None
    """As given, usually lists in a list; `None` where the record has none."""
    hops: str = ""
    """Sources in order, `API-RAG`; empty in newer records."""
    calls: tuple[VakraCall, ...] = ()
    responses: tuple[Any, ...] = ()
    """What the gold calls gave, in order, as given; fewer than calls where only some were recorded."""
    chunks: tuple[str, ...] = ()
    """Texts that gold searches have to bring up."""


@record
class VakraRecord:
    """A dialogue of which the last turn is asked."""

    file: str
    uuid: str
    domain: str
    turns: tuple[VakraTurn, ...]
    instructions: str = ""
    scenarios: dict[str, Any] = field(default_factory=dict)
    """`tool_use_policy`, `policy_domain`, `missing_api`, `tool_availability` of older records."""
    columns: dict[str, str] = field(default_factory=dict)
    """Descriptions of the tool universe's columns by name, where the record brings them."""


class Sides(NamedTuple):
    """What a published record turned out to be: a question, gold, or both."""

    question: VakraRecord | None
    gold: VakraRecord | None


def is_record(value: Any) -> bool:
    """Whether a JSON value looks like a record: an object with an id and turns of either side."""
    return isinstance(value, dict) and _id_key(value) is not None and any(key in value for key in _TURNS)


def is_prediction(value: Mapping[str, Any]) -> bool:
    """Whether a record is somebody's output rather than ground truth: only those say how the run went."""
    return "status" in value and "dialogue" not in value


def read_record(value: Mapping[str, Any], file: Path) -> Sides:
    """Both sides of a record.

    Raises:
        DataError: the record lacks an id, a domain or turns, or one of them has a form that none of the above has;
            file, uuid and key are named.
    """
    place = _Place(file, str(value.get(_id_key(value) or "uuid", _NO_NAME)))
    uuid = value.get(_id_key(value) or "uuid")
    if not isinstance(uuid, str) or not uuid:
        raise place.wrong(f"uuid is {uuid!r}, not a text")
    domain = value.get("domain", value.get("dataset_name"))
    if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
        raise place.wrong(f"domain is {domain!r}, not a name of letters, digits, _ and -")
    asked = _asked(value, place)
    gold = next((value[key] for key in ("ground_truth", "output") if value.get(key)), None)
    rest = (_text(value, "additional_instructions", place), _scenarios(value, place), _columns(value))
    turns = _turns(asked, "turns", place) if asked else ()
    played = _turns(gold, "gold", place) if gold else ()
    if not turns and not played:
        raise place.wrong("it has no turns")
    question = VakraRecord(str(file), uuid, domain, turns, *rest) if turns else None
    answers = VakraRecord(str(file), uuid, domain, played, *rest) if played else None
    return Sides(question, answers)


_TURNS = ("dialogue", "turns", "ground_truth", "output")


class _Place(NamedTuple):
    file: Path
    uuid: str

    def wrong(self, problem: str) -> DataError:
        return DataError(self.file, f"record {self.uuid!r}: {problem}")


def _id_key(value: Mapping[str, Any]) -> str | None:
    return next((key for key in ("uuid", "sample_id") if key in value), None)


def _asked(value: Mapping[str, Any], place: _Place) -> Any:
    dialogue = _decoded(value.get("dialogue"), place)
    if dialogue is None:
        return value.get("turns")
    if not isinstance(dialogue, dict):
        raise place.wrong(f"dialogue is {_brief(dialogue)}, not an object")
    return dialogue.get("turns")


def _turns(listed: Any, side: str, place: _Place) -> tuple[VakraTurn, ...]:
    listed = _decoded(listed, place)
    if not isinstance(listed, list):
        raise place.wrong(f"its {side} are {_brief(listed)}, not a list")
    return tuple(_turn(_decoded(item, place), index, place) for index, item in enumerate(listed))


def _turn(item: Any, index: int, place: _Place) -> VakraTurn:
    if not isinstance(item, dict):
        raise place.wrong(f"turn {index + 1} is {_brief(item)}, not an object")
    query = item.get("query")
    if not isinstance(query, str) or not query.strip():
        raise place.wrong(f"turn {index + 1} asks nothing: its query is {query!r}")
    number = item.get("turn_id", index)
    if isinstance(number, bool) or not isinstance(number, int):
        raise place.wrong(f"turn {index + 1} has the turn_id {number!r}, not a whole number")
    parts = list(_sequence(item, index, place))
    return VakraTurn(
        number,
        query,
        item.get("answer"),
        _text(item, "type", place).strip("()").upper(),
        tuple(call for part in parts for call in _calls(part, index, place)),
        tuple(response for part in parts for response in _listed(part.get("tool_response"))),
        tuple(text for part in parts for text in _chunks(part)),
    )


def _sequence(item: Mapping[str, Any], index: int, place: _Place) -> Iterator[Mapping[str, Any]]:
    found = _decoded(next((item[key] for key in ("gold_sequence", "sequence") if key in item), None), place)
    for part in _listed(found):
        if not isinstance(part, dict):
            raise place.wrong(f"the sequence of turn {index + 1} holds {_brief(part)}, not an object")
        yield part


def _calls(part: Mapping[str, Any], index: int, place: _Place) -> Iterator[VakraCall]:
    waiting = list(_listed(part.get("tool_call", part.get("output"))))
    while waiting:
        call = waiting.pop(0)
        if isinstance(call, list):
            waiting = [*call, *waiting]
            continue
        if not isinstance(call, dict) or not isinstance(call.get("name"), str) or not call["name"]:
            raise place.wrong(f"a tool call of turn {index + 1} is {_brief(call)}, not an object with a name")
        arguments = _decoded(call.get("arguments", {}), place)
        if not isinstance(arguments, dict):
            raise place.wrong(f"{call['name']} of turn {index + 1} has the arguments {_brief(arguments)}, no object")
        yield VakraCall(call["name"], arguments, str(call.get("label") or ""))


def _chunks(part: Mapping[str, Any]) -> Iterator[str]:
    given = part.get("gt_chunk")
    listed = given.get("chunks") if isinstance(given, dict) else given
    for chunk in _listed(listed):
        text = chunk.get("text") if isinstance(chunk, dict) else chunk
        if isinstance(text, str):
            yield text


def _scenarios(value: Mapping[str, Any], place: _Place) -> dict[str, Any]:
    given = _decoded(value.get("scenarios"), place)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise place.wrong(f"scenarios is {_brief(given)}, not an object")
    return given


def _columns(value: Mapping[str, Any]) -> dict[str, str]:
    listed = value.get("key_values_and_descriptions")
    items = (item for item in _listed(listed) if isinstance(item, dict))
    return {str(item.get("key_name")): str(item.get("description", "")) for item in items}


def _text(value: Mapping[str, Any], key: str, place: _Place) -> str:
    given = value.get(key)
    if given is None:
        return ""
    if not isinstance(given, str):
        raise place.wrong(f"{key} is {_brief(given)}, not a text")
    return given.strip()


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _decoded(value: Any, place: _Place) -> Any:
    """The value a JSON text stands for; other values as they are."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        raise place.wrong(f"{_brief(value)} is no JSON") from None


def _brief(value: Any) -> str:
    quoted = repr(value)
    return quoted if len(quoted) <= 80 else f"{quoted[:80]}…"
