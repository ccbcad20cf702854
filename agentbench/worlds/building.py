"""A domain's description and content written out as a world's folder.

The folder is built beside its final place and renamed at the end, so a reader sees a whole world or none, whatever
kills the builder, and builders at the same time do not disturb each other: the first to finish wins.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import orjson

from agentbench.app.writing import write_whole
from agentbench.config.env import Granularity
from agentbench.config.source import TaskCounts
from agentbench.config.tasks import Split
from agentbench.errors import DataError
from agentbench.tasks.files import write_tasks
from agentbench.tools.retriever import Collection, Document
from agentbench.tools.retriever.bm25 import build_index
from agentbench.types import AnswerType, Task
from agentbench.worlds.domain import Content, Domain
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.manifest import Manifest, World, read_world, write_manifest
from agentbench.worlds.views import queries, universes, views

VERSION = 5
"""Counts up when the same input gives other worlds; part of every fingerprint."""

STALE_S = 6 * 3600.0
"""Age at which an unfinished folder is taken for dead, in seconds; building takes seconds to minutes."""

Report = Callable[[str], None]
WriteDatabase = Callable[[Path], None]


class Recipe(NamedTuple):
    """All a world is made from."""

    domain: Domain
    content: Content
    write_database: WriteDatabase
    seed: int
    counts: TaskCounts
    fingerprint: str
    source: Path | str
    """Where the rows are from, for error messages."""
    rotation: Fraction = Fraction(0)
    """Which of the rarest task settings a small split has, in [0, 1): see `grid.quotas`."""


def fingerprint(*parts: object) -> str:
    """A hash of what a world is made from and the version of this package's worlds."""
    return hashlib.sha256(orjson.dumps([VERSION, *(str(part) for part in parts)])).hexdigest()


def build_world(recipe: Recipe, folder: Path, report: Report) -> World:
    """Writes the world and gives it; if another builder was faster, theirs.

    Raises:
        DataError: tasks were wanted, and none that has an answer could be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write(recipe, draft, report)
        draft.chmod(0o755)
        _publish(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return read_world(folder)


def _sweep(folder: Path) -> None:
    """Removes what builders of this world left behind that were killed long ago."""
    for draft in folder.parent.glob(f".{folder.name}-*"):
        if time.time() - draft.stat().st_mtime > STALE_S:
            shutil.rmtree(draft, ignore_errors=True)


def _publish(draft: Path, folder: Path) -> None:
    try:
        os.rename(draft, folder)
    except OSError:
        if not (folder / "world.json").is_file():
            raise


def _write(recipe: Recipe, folder: Path, report: Report) -> None:
    domain, content = recipe.domain, recipe.content
    all_views = views(domain)
    all_queries = queries(domain, all_views)
    recipe.write_database(folder / "database.sqlite")
    collection = _write_documents(domain, content.corpus.documents, folder)
    manifest = Manifest(
        domain.name,
        domain.title,
        domain.topic,
        domain.description,
        domain.attribution,
        tuple(query.endpoint for query in all_queries),
        universes(all_views),
        collection,
        recipe.fingerprint,
    )
    knowledge = Knowledge(domain, content, all_views, all_queries)
    _write_tasks(recipe, knowledge, World(folder, manifest), report)
    write_manifest(World(folder, manifest))


def _write_documents(domain: Domain, documents: tuple[Document, ...], folder: Path) -> Collection | None:
    if not documents:
        return None
    lines = (orjson.dumps(document) + b"\n" for document in documents)
    write_whole(folder / "documents.jsonl", b"".join(lines))
    build_index(folder / "index", documents)
    return Collection(domain.name, domain.description)


def _write_tasks(recipe: Recipe, knowledge: Knowledge, world: World, report: Report) -> None:
    # Imported here because runs over prepared worlds, which are most, need neither.
    from agentbench.worlds.generator import Generator
    from agentbench.worlds.replay import Replay

    wanted = {
        Split.TRAIN: recipe.counts.train,
        Split.VALIDATION: recipe.counts.validation,
        Split.TEST: recipe.counts.test,
    }
    made: list[str] = []
    answerable = 0
    with Replay(world) as replay:
        generator = Generator(knowledge, replay, recipe.seed, recipe.rotation)
        for split, count in wanted.items():
            tasks = asyncio.run(generator.tasks(split, count))
            for granularity, items in tasks.items():
                write_tasks(world.tasks(granularity.value, split.value), items)
            made.append(f"{len(tasks[Granularity.REST])} {split.value}")
            answerable += sum(_has_answer(task) for task in tasks[Granularity.REST])
    if any(wanted.values()) and not answerable:
        problem = f"no question with an answer could be made from it; {_dropped(generator.drops)}"
        raise DataError(recipe.source, problem, next_step="give more rows, or columns whose values repeat")
    report(f"{world.manifest.name}: {', '.join(made)} tasks; {_dropped(generator.drops)}")


def _has_answer(task: Task) -> bool:
    return task.turns[-1].gold.answer.type is not AnswerType.UNANSWERABLE


def _dropped(drops: Counter[str]) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in drops.most_common())
    return f"{sum(drops.values())} candidates dropped ({reasons})" if drops else "none dropped"
