"""A user's VAKRA data as worlds, one per domain, with its own tasks.

Everything that is not kept is counted in the domain's summary line: records without a published answer, questions of
capability 1 without database or tool universe, endpoints without a server's address. Gold that our tools cannot carry
out is counted as well; its task stays, since its answer still tells right from wrong.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import orjson

from agentbench.app.writing import write_whole
from agentbench.config.env import Granularity
from agentbench.config.source import VakraSource
from agentbench.config.tasks import Split
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.files import write_tasks
from agentbench.tasks.tool_usage import topic_group
from agentbench.tasks.vakra.dialect import Tools
from agentbench.tasks.vakra.gold import chain, searches
from agentbench.tasks.vakra.reading import Dialogue, Domain, is_search, read_vakra
from agentbench.tasks.vakra.tasks import granularity, identifiers, make_task
from agentbench.tools import Tool
from agentbench.tools.http.spec import HttpApi
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import build_index
from agentbench.tools.sql.database import Database
from agentbench.tools.sql.selection import selection_tools
from agentbench.tools.sql.slot_filling import slot_filling_tools
from agentbench.tools.sql.spec import Universe
from agentbench.types import CallTools, Task
from agentbench.worlds.building import Report, fingerprint
from agentbench.worlds.manifest import Manifest, World, read_world, whole_world, write_manifest
from agentbench.worlds.names import noun, slug
from agentbench.worlds.vakra_replay import fitted, misfit, played
from agentbench.worlds.vakra_sources import Endpoints, Sources
from agentbench.worlds.vakra_universes import Schema, universe

ATTRIBUTION = "VAKRA's format, brought by the user; the public data are CC BY-NC-SA 4.0"
SHOWN_LINES = 3
"""Most records per domain that are named when their tool universe cannot be made."""
_TIMEOUT_S = 30.0
_SHOWN_VALUES = 1000
"""Lists in a replay are shown whole, so that they can be compared with the gold answer."""


def prepare_vakra(source: VakraSource, folder: Path, report: Report) -> tuple[World, ...]:
    """The worlds of a source, each in the folder of its domain's name; those made from the same before stay.

    Raises:
        PreflightError: the source's folders lack what they should hold, or the output folder holds another world.
        DataError: a file or record has a form that VAKRA never had, or no task at all is left.
    """
    read = read_vakra(source.data_dir, source.domains)
    if read.predictions:
        report(f"{read.predictions} records are predictions and were left out")
    sources = Sources(source, report)
    made = tuple(_world(domain, sources, source.base_url, folder / domain.name, report) for domain in read.domains)
    if not any(world.tasks(item.value, Split.TEST.value).stat().st_size for world in made for item in Granularity):
        raise DataError(
            source.data_dir, "no task could be made; the lines above say why", next_step="see README, VAKRA"
        )
    return made


class _Parts(NamedTuple):
    """All that one domain's world is made from."""

    domain: Domain
    database: Path | None
    documents: tuple[Document, ...]
    endpoints: Endpoints
    base_url: str


class _Content(NamedTuple):
    """What came of them."""

    universes: dict[str, Universe]
    tasks: dict[Granularity, list[Task]]
    left_out: Counter[str]
    not_replayed: Counter[str]
    replayed: int


def _world(domain: Domain, sources: Sources, base_url: str, folder: Path, report: Report) -> World:
    parts = _Parts(
        domain, sources.database(domain.name), sources.documents(domain.name), sources.endpoints(domain.name), base_url
    )
    made_from = _fingerprint(parts)
    found = _existing(folder, made_from)
    if found is not None:
        report(f"{domain.name}: made before from the same, {folder}")
        return found
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        content = _content(parts, report)
        _write(parts, content, World(draft, _manifest(parts, content, made_from)))
        draft.chmod(0o755)
        os.rename(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    report(_summary(parts, content))
    return read_world(folder)


def _fingerprint(parts: _Parts) -> str:
    database = parts.database
    state = (database, database.stat().st_size, database.stat().st_mtime_ns) if database else None
    documents = hashlib.sha256(orjson.dumps(parts.documents)).hexdigest()
    records = hashlib.sha256(orjson.dumps([tuple(item) for item in parts.domain.dialogues])).hexdigest()
    return fingerprint(
        parts.domain.name, state, documents, records, orjson.dumps(tuple(parts.endpoints)), parts.base_url
    )


def _existing(folder: Path, made_from: str) -> World | None:
    if not folder.exists():
        return None
    world = whole_world(folder)
    if world is not None and world.manifest.fingerprint == made_from:
        return world
    raise PreflightError(f"{folder} is there already and holds something else", "choose another output folder")


def _content(parts: _Parts, report: Report) -> _Content:
    left_out = Counter(parts.domain.left_out)
    with ExitStack() as stack:
        database = None
        universes: dict[str, Universe] = {}
        if parts.database is not None:
            database = stack.enter_context(closing(Database(parts.database, _TIMEOUT_S)))
            schema = stack.enter_context(Schema(parts.database))
            universes = _universes(parts.domain.dialogues, schema, left_out, report)
        kept = [item for item in parts.domain.dialogues if _playable(item, parts, universes, left_out)]
        maker = _Maker(parts, universes, database)
        tasks: dict[Granularity, list[Task]] = {item: [] for item in Granularity}
        for name, dialogue in zip(identifiers(kept), kept, strict=True):
            tasks[granularity(dialogue)].append(maker.task(dialogue, name))
    return _Content(universes, tasks, +left_out, maker.not_replayed, maker.replayed)


def _universes(
    dialogues: Sequence[Dialogue], schema: Schema, left_out: Counter[str], report: Report
) -> dict[str, Universe]:
    made: dict[str, Universe] = {}
    for dialogue in dialogues:
        if dialogue.capability != 1 or dialogue.universe is None:
            continue
        try:
            made[dialogue.universe.id] = universe(dialogue.universe, schema, dialogue.record.columns)
        except DataError as error:
            if left_out[_UNUSABLE] < SHOWN_LINES:
                report(str(error))
            left_out[_UNUSABLE] += 1
    return made


_UNUSABLE = "a tool universe that does not fit the database"


def _playable(dialogue: Dialogue, parts: _Parts, universes: Mapping[str, Universe], left_out: Counter[str]) -> bool:
    """Whether a question of capability 1 has data to be asked about; what it lacks is counted."""
    if dialogue.capability != 1:
        return True
    if dialogue.universe is None:
        left_out["no tool universe"] += 1
    elif parts.database is None:
        left_out[f"no database {parts.domain.name}.sqlite"] += 1
    return dialogue.universe is not None and dialogue.universe.id in universes


class _Maker:
    """Makes tasks and counts whose gold can be carried out."""

    def __init__(self, parts: _Parts, universes: Mapping[str, Universe], database: Database | None) -> None:
        self.not_replayed: Counter[str] = Counter()
        self.replayed = 0
        self._universes = universes
        self._database = database
        self._domain = parts.domain.name
        self._endpoints = {endpoint.name: endpoint for endpoint in parts.endpoints.endpoints}
        self._names = parts.endpoints.by_operation
        self._collections = (parts.domain.name,) if parts.documents else ()
        self._by_text = {document.text.strip(): document.id for document in parts.documents}

    def task(self, dialogue: Dialogue, name: str) -> Task:
        """The dialogue's task."""
        topic = topic_group(self._domain)
        if dialogue.capability == 1 and dialogue.universe is not None and self._database is not None:
            tools = self._tools(dialogue, self._universes[dialogue.universe.id], self._database)
            actions = self._chain(dialogue, self._universes[dialogue.universe.id], tools)
            task = make_task(dialogue, actions, (), topic=topic, id=name)
            return self._counted(task, asyncio.run(played(task, tools)) if actions else "")
        last = dialogue.record.turns[-1]
        actions = searches(last.calls, last.query, self._domain)
        actions = tuple(fitted(action, self._endpoints, self._names) for action in actions)
        task = make_task(dialogue, actions, self._gold_documents(dialogue), topic=topic, id=name)
        problems = (misfit(action, self._endpoints, self._collections) for action in actions)
        return self._counted(task, next((problem for problem in problems if problem), ""))

    def _counted(self, task: Task, problem: str) -> Task:
        """The task, which says whether its gold can be carried out; nothing where there is none."""
        if not task.turns[-1].gold.actions:
            return task
        if problem:
            self.not_replayed[problem] += 1
        else:
            self.replayed += 1
        return dataclasses.replace(task, data={**task.data, "gold_replays": not problem})

    def _tools(self, dialogue: Dialogue, own: Universe, database: Database) -> tuple[Tool, ...]:
        match granularity(dialogue):
            case Granularity.SELECTION:
                return selection_tools(database, (own,), _SHOWN_VALUES)
            case _:
                return slot_filling_tools(database, (own,), _SHOWN_VALUES)

    def _chain(self, dialogue: Dialogue, own: Universe, tools: Sequence[Tool]) -> tuple[CallTools, ...]:
        calls = dialogue.record.turns[-1].calls
        names = frozenset(tool.spec.name for tool in tools)
        return chain(calls, Tools(own.id, [column.name for column in own.columns], names)) if calls else ()

    def _gold_documents(self, dialogue: Dialogue) -> tuple[str, ...]:
        """For each search, the id of the next gold text that is one of the documents; empty where none is."""
        last = dialogue.record.turns[-1]
        known = [self._by_text[text.strip()] for text in last.chunks if text.strip() in self._by_text]
        count = sum(is_search(call) for call in last.calls)
        return tuple((*known, *[""] * count)[:count])


def _manifest(parts: _Parts, content: _Content, made_from: str) -> Manifest:
    name = parts.domain.name
    called = noun(slug(name, "domain"))
    description = f"Documents about {called}."
    reachable = parts.endpoints.endpoints if parts.base_url else ()
    return Manifest(
        name,
        called.capitalize(),
        topic_group(name),
        f"What is known of {called}.",
        ATTRIBUTION,
        (),
        tuple(content.universes.values()),
        Collection(name, description) if parts.documents else None,
        made_from,
        str(parts.database) if parts.database else "",
        HttpApi(parts.base_url, reachable) if reachable else None,
    )


def _write(parts: _Parts, content: _Content, world: World) -> None:
    if parts.database is None:
        _write_empty_database(world.database)
    if parts.documents:
        lines = (orjson.dumps(document) + b"\n" for document in parts.documents)
        write_whole(world.folder / "documents.jsonl", b"".join(lines))
        build_index(world.index, parts.documents)
    for item, tasks in content.tasks.items():
        for split in Split:
            write_tasks(world.tasks(item.value, split.value), tasks if split is Split.TEST else ())
    write_manifest(world)


def _write_empty_database(path: Path) -> None:
    """A database without tables, for a domain whose tools need none: a world always has one to open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("VACUUM")
    path.chmod(0o444)


def _summary(parts: _Parts, content: _Content) -> str:
    domain, kept = parts.domain, {item.value: len(tasks) for item, tasks in content.tasks.items() if tasks}
    out = content.left_out
    listed = ", ".join(f"{name} {count}" for name, count in kept.items())
    line = [f"{domain.name}: {domain.read} records read, {sum(kept.values())} kept" + (f" ({listed})" if kept else "")]
    line.append(f"{sum(out.values())} left out" + _counts(out))
    blind = sum(task.data["gold_answer"] is None for tasks in content.tasks.values() for task in tasks)
    if blind:
        line.append(f"{blind} without ground truth, to be predicted only")
    unread = sum(bool(task.rules) and not task.data["policy"] for tasks in content.tasks.values() for task in tasks)
    if unread:
        line.append(f"{unread} with a policy of no known family, shown and not checked")
    tried = content.replayed + sum(content.not_replayed.values())
    line.append(f"gold holds for {content.replayed} of {tried}" + _counts(content.not_replayed))
    if parts.endpoints.endpoints and not parts.base_url:
        line.append(f"{len(parts.endpoints.endpoints)} endpoints left out (no source.base_url)")
    return "; ".join(line)


def _counts(counter: Counter[str]) -> str:
    return f" ({', '.join(f'{reason} {count}' for reason, count in counter.most_common())})" if counter else ""
