"""A user's own SQLite file and folder of text as a world, with tools and tasks proposed from what they hold."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

from agentbench.config.source import SqliteSource
from agentbench.errors import DataError, PreflightError
from agentbench.worlds.building import Recipe, Report, build_world, fingerprint
from agentbench.worlds.domain import EMPTY_CORPUS, Content, Domain
from agentbench.worlds.embedded import EMBEDDED
from agentbench.worlds.manifest import World, whole_world
from agentbench.worlds.names import slug
from agentbench.worlds.own_documents import Passage, read_passages
from agentbench.worlds.own_domain import MISSING, own_tables
from agentbench.worlds.own_facts import own_corpus
from agentbench.worlds.own_schema import copy_database, read_tables
from agentbench.worlds.views import quote


def prepare_sqlite(source: SqliteSource, seed: int, folder: Path, report: Report) -> World:
    """The world of a user's data, in the folder given; there already when it was made from the same before.

    Raises:
        PreflightError: the database or folder of documents is missing, the name cannot be used, or the output folder
            holds something else.
        DataError: the database is damaged, none or has no usable table, no question about it has an answer, or a
            document is no text.
    """
    name = _name(source)
    passages = read_passages(source.documents, report) if source.documents else ()
    with tempfile.TemporaryDirectory(prefix="agentbench-") as scratch:
        copy = Path(scratch) / "database.sqlite"
        copy_database(source.database, copy)
        made_from = fingerprint(name, _digest(copy), passages, seed, source.tasks)
        found = _existing(folder, made_from)
        if found is not None:
            return found
        tables = own_tables(name, source.name or source.database.stem, read_tables(copy, source.database, report))
        if not tables.domain.queries:
            raise DataError(source.database, "no usable table: no column names, groups or measures rows")
        domain = _without_said(tables.domain, passages)
        report(_summary(domain, passages))
        corpus = own_corpus(domain, tables.rows, passages) if passages else EMPTY_CORPUS
        write = partial(_write_database, copy=copy, domain=domain)
        recipe = Recipe(domain, Content(tables.rows, corpus), write, seed, source.tasks, made_from, source.database)
        return build_world(recipe, folder, report)


def _name(source: SqliteSource) -> str:
    name = source.name or slug(source.database.stem, "database")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}", name):
        raise PreflightError(
            f"the name {name!r} cannot be used: a letter first, then letters, digits and underscores, at most 40",
            f"source.name={slug(name, 'database')}",
        )
    if name in EMBEDDED:
        raise PreflightError(f"the name {name!r} is taken by an embedded domain", f"source.name=my_{name}")
    return name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _existing(folder: Path, made_from: str) -> World | None:
    if (folder / "world.json").is_file():
        world = whole_world(folder)
        if world is None:
            raise PreflightError(
                f"{folder} holds a broken world", "remove that folder, or choose another output folder"
            )
        if world.manifest.fingerprint == made_from:
            return world
        raise PreflightError(f"{folder} holds another world", "choose another output folder")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PreflightError(f"{folder} is not empty and holds no world", "choose another output folder")
    return None


def _without_said(domain: Domain, passages: tuple[Passage, ...]) -> Domain:
    """The domain with only those missing nouns that neither a column nor a document uses."""
    nouns = " ".join(field.noun for table in domain.tables for field in table.fields)
    text = "\n".join([nouns, *(passage.document.text for passage in passages)]).casefold()
    missing = tuple(noun for noun in MISSING if noun not in text)
    tables = tuple(dataclasses.replace(table, missing=missing) for table in domain.tables)
    return dataclasses.replace(domain, tables=tables)


def _summary(domain: Domain, passages: tuple[Passage, ...]) -> str:
    tables = ", ".join(f"{table.name} ({len(table.fields)} columns)" for table in domain.tables)
    return f"{domain.name}: tables {tables}; {len(domain.queries)} endpoints; {len(passages)} passages of text"


def _write_database(path: Path, copy: Path, domain: Domain) -> None:
    """The copy with an index for each column that endpoints ask by, read-only.

    An index or clean-up that needs an application's own collation or function is left out: it makes reading no more
    than faster.
    """
    shutil.copyfile(copy, path)
    with closing(sqlite3.connect(path)) as connection:
        for statement in (*_indexes(domain), "ANALYZE", "VACUUM"):
            with suppress(sqlite3.OperationalError):
                connection.execute(statement)
    path.chmod(0o444)


def _indexes(domain: Domain) -> Iterator[str]:
    for table, column in _asked_columns(domain):
        name = quote(f"agentbench {table} {column}")
        yield f"CREATE INDEX IF NOT EXISTS {name} ON {quote(table)} ({quote(column)})"


def _asked_columns(domain: Domain) -> list[tuple[str, str]]:
    asked: dict[tuple[str, str], None] = {}
    for table in domain.tables:
        columns = {column for spec in domain.queries if spec.table == table.name for column in spec.by}
        columns |= {link.field for link in table.links}
        for field in table.fields:
            if field.name in columns:
                asked[table.sql_name, field.sql_name] = None
    return list(asked)
