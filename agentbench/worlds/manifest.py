"""What a prepared world's folder holds, and how to read it.

world.json            the Manifest below
database.sqlite       read-only after it was built
documents.jsonl       one Document per line
index/                BM25 index over documents.jsonl
tasks/<granularity>/<split>.jsonl      one Task per line; in worlds of our making the same ids in each granularity

A world may use a database where it lies instead of holding one: `Manifest.external_database`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from agentbench.app.writing import write_record
from agentbench.config.env import Granularity
from agentbench.config.tasks import Split
from agentbench.errors import DataError, PreflightError
from agentbench.formats import WORLD
from agentbench.tools.http.spec import HttpApi
from agentbench.tools.retriever import Collection
from agentbench.tools.sql.spec import Endpoint, Universe
from agentbench.types import record

MANIFEST = "world.json"


@record
class Manifest:
    """A world's declarations."""

    name: str
    title: str
    topic: str
    """Topic group that policies speak about: Movies, Geography, Chemistry …"""
    description: str
    attribution: str
    """Source and licence of the data, in one line."""
    endpoints: tuple[Endpoint, ...]
    universes: tuple[Universe, ...]
    collection: Collection | None
    fingerprint: str
    """Hash of everything the world was made from; equal fingerprints mean equal worlds."""
    external_database: str = ""
    """Absolute path of a database used where it lies, read-only. Empty: the folder's own."""
    http: HttpApi | None = None
    """REST endpoints on a server of the user's, beside those over the database."""


@record
class World:
    """A manifest and where it lies."""

    folder: Path
    manifest: Manifest

    @property
    def database(self) -> Path:
        """The SQLite file: the folder's own, or the user's where it lies."""
        return Path(self.manifest.external_database or self.folder / "database.sqlite")

    @property
    def index(self) -> Path:
        """Folder of the BM25 index."""
        return self.folder / "index"

    def tasks(self, granularity: str, split: str) -> Path:
        """The task file of one granularity and split."""
        return self.folder / "tasks" / granularity / f"{split}.jsonl"


def read_world(folder: Path) -> World:
    """The world in a folder.

    Raises:
        PreflightError: there is no world in the folder.
        DataError: its manifest cannot be read, or a newer agentbench wrote it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise PreflightError(f"no world in {folder}: world.json is missing", _AGAIN)
    try:
        manifest = TypeAdapter(Manifest).validate_json(WORLD.current_json(path.read_bytes(), path))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(path, f"{place}: {first['msg']}", next_step=_AGAIN) from error
    return World(folder, manifest)


def write_manifest(world: World) -> None:
    """Writes `world.json`, which makes the folder a world: after everything else in it.

    Raises:
        OSError: it cannot be written.
    """
    write_record(world.folder / MANIFEST, WORLD, world.manifest)


def whole_world(folder: Path) -> World | None:
    """The world in a folder; `None` where its manifest cannot be read or one of its files is missing."""
    try:
        world = read_world(folder)
    except PreflightError:
        return None
    return world if all(path.exists() for path in _files(world)) else None


def _files(world: World) -> Iterator[Path]:
    yield world.database
    if world.manifest.collection is not None:
        yield world.folder / "documents.jsonl"
        yield world.index / "meta.json"
    yield from (world.tasks(granularity.value, split.value) for granularity in Granularity for split in Split)


_AGAIN = "python -m agentbench.prepare, for a world of your own with source=sqlite database=…"
