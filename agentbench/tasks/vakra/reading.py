"""Inputs and ground truth of a folder put together: what is asked, by whom it was asked before, what is right.

Both sides of a record share capability, domain and uuid. Turns are matched by what is asked in them, never by number:
one side may count from 0 and the other from 1, and ground truth may hold all turns or the last.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.config.env import Granularity
from agentbench.config.suggest import did_you_mean
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.vakra.files import Found, Raw, find
from agentbench.tasks.vakra.records import VakraCall, VakraRecord, VakraTurn, read_record
from agentbench.tasks.vakra.universes import INITIALISE, UniverseArguments, read_universe

REPEATED = "the same record twice"
NO_ANSWER = "no answer in the ground truth"
_SELECTION = ("select_data_", "compute_data_", "sort_data_", "transform_data_to_", "truncate", "get_")
"""How names of tools begin that only the selection granularity has."""


class Dialogue(NamedTuple):
    """A record with its gold."""

    record: VakraRecord
    """Earlier turns carry their answers; the last one its gold where that is published."""
    capability: int
    universe: UniverseArguments | None


class Domain(NamedTuple):
    """All records of one domain, over all capabilities."""

    name: str
    dialogues: tuple[Dialogue, ...]
    read: int
    """Questions read, those left out included."""
    left_out: Counter[str]


class Read(NamedTuple):
    """All of a folder."""

    domains: tuple[Domain, ...]
    predictions: int
    """Records that are somebody's output, not looked at."""


def read_vakra(data_dir: Path, domains: Sequence[str] = ()) -> Read:
    """The dialogues of the domains named (none: all), by domain.

    Raises:
        PreflightError: no such folder, no VAKRA file in it, or a domain named has no record.
        DataError: a record or tool universe has a form that VAKRA never had; its file and id are named.
    """
    found = find(data_dir)
    questions, golds = _sides(found.records)
    known = sorted({key[1] for key in questions})
    for name in domains:
        if name not in known:
            problem = f"no record of the domain {name!r} in {data_dir}{did_you_mean(name, known)}"
            raise PreflightError(problem, f"there is: {', '.join(known[:20])}")
    wanted = [name for name in known if name in domains] if domains else known
    return Read(tuple(_domain(name, questions, golds, found) for name in wanted), found.predictions)


_Key = tuple[int | None, str, str]
"""Capability as the folder says, domain, uuid."""
_Sides = dict[_Key, list[VakraRecord]]


def _sides(records: Sequence[Raw]) -> tuple[_Sides, _Sides]:
    questions: _Sides = {}
    golds: _Sides = {}
    for raw in records:
        sides = read_record(raw.value, raw.file)
        for side, place in ((sides.question, questions), (sides.gold, golds)):
            if side is not None:
                place.setdefault((raw.capability, side.domain, side.uuid), []).append(side)
    for key, gold in golds.items():
        questions.setdefault(key, gold)
    return questions, golds


def _domain(name: str, questions: _Sides, golds: _Sides, found: Found) -> Domain:
    left_out: Counter[str] = Counter()
    dialogues: list[Dialogue] = []
    asked = {key: records for key, records in questions.items() if key[1] == name}
    published = {key[0] for key in golds if key[1] == name}
    for key, records in asked.items():
        different = {tuple(turn.query for turn in record.turns): record for record in records}
        left_out[REPEATED] += len(records) - len(different)
        for record in different.values():
            dialogue = _dialogue(record, golds.get(key, []), key[0], found.universes)
            if dialogue.record.turns[-1].answer in (None, "", []) and key[0] in published and not _missing(record):
                left_out[NO_ANSWER] += 1
            else:
                dialogues.append(dialogue)
    return Domain(name, tuple(dialogues), sum(map(len, asked.values())), +left_out)


def _missing(record: VakraRecord) -> bool:
    return bool(record.scenarios.get("missing_api"))


def _dialogue(
    record: VakraRecord, golds: Sequence[VakraRecord], capability: int | None, entries: Mapping[str, tuple[Path, Any]]
) -> Dialogue:
    gold = _gold_of(record, golds)
    *earlier, last = (_with_gold(turn, gold, index == len(record.turns) - 1) for index, turn in enumerate(record.turns))
    for number, turn in enumerate(earlier, 1):
        if turn.answer is None:
            raise DataError(record.file, f"record {record.uuid!r}: turn {number} was over before and has no answer")
    whole = dataclasses.replace(record, turns=(*earlier, last), **_missing_parts(record, gold))
    universe = _universe(whole, entries)
    return Dialogue(whole, capability or _guessed(whole, universe), universe)


def _missing_parts(record: VakraRecord, gold: VakraRecord | None) -> dict[str, Any]:
    """What only the ground truth's side of a record says."""
    if gold is None:
        return {}
    names = ("instructions", "scenarios", "columns")
    given = {"instructions": gold.instructions, "scenarios": gold.scenarios, "columns": gold.columns}
    own = {"instructions": record.instructions, "scenarios": record.scenarios, "columns": record.columns}
    return {name: own[name] or given[name] for name in names}


def _gold_of(record: VakraRecord, golds: Sequence[VakraRecord]) -> VakraRecord | None:
    if len(golds) < 2:
        return golds[0] if golds else None
    query = record.turns[-1].query
    return next((gold for gold in golds if gold.turns[-1].query == query), None)


def _with_gold(turn: VakraTurn, gold: VakraRecord | None, is_last: bool) -> VakraTurn:
    """The turn with the gold of the turn that asks the same; the last one otherwise takes the last one's."""
    if gold is None:
        return turn
    turns = gold.turns[::-1] if is_last else gold.turns
    found = next((other for other in turns if other.query.strip() == turn.query.strip()), None)
    found = gold.turns[-1] if found is None and is_last else found
    if found is None:
        return turn
    answer = turn.answer if turn.answer is not None else found.answer
    answer = found.answer if is_last and found.answer is not None else answer
    hops = turn.hops or found.hops
    gold_parts = {"calls": found.calls, "responses": found.responses, "chunks": found.chunks}
    return dataclasses.replace(turn, answer=answer, hops=hops, **gold_parts)


def _universe(record: VakraRecord, entries: Mapping[str, tuple[Path, Any]]) -> UniverseArguments | None:
    """From the map, else from the gold call that makes it."""
    if record.uuid in entries:
        file, entry = entries[record.uuid]
        kind = {} if "server_type" in entry else {"server_type": _kind(record.turns[-1].calls)}
        return read_universe(record.uuid, {**kind, **entry}, str(file))
    calls = record.turns[-1].calls
    made = next((call for call in calls if call.name == INITIALISE), None)
    if made is None:
        return None
    entry = {"domain": record.domain, "server_type": _kind(calls), "init_args": made.arguments}
    return read_universe(record.uuid, entry, record.file)


def _kind(calls: Sequence[VakraCall]) -> Granularity:
    names = [call.name for call in calls if call.name != "get_data"]
    return Granularity.SELECTION if any(name.startswith(_SELECTION) for name in names) else Granularity.SLOT_FILLING


def _guessed(record: VakraRecord, universe: UniverseArguments | None) -> int:
    """The capability of a record that lies in no folder saying it: by universe, then turns and sources, then calls."""
    if universe is not None:
        return 1
    last = record.turns[-1]
    searches = any(is_search(call) for call in last.calls)
    if len(record.turns) > 1 or record.instructions or record.scenarios or "RAG" in last.hops or searches:
        return 4
    return 3 if len(last.calls) > 1 else 2


def is_search(call: VakraCall) -> bool:
    """Whether a gold call goes to a retriever: `query_<domain>`, `retriever_…_<domain>`."""
    return call.name.startswith(("query_", "retriever_")) or call.name == "retrieve_documents"
