"""Files and folders that runs read and write, with hashes, so that what came from what can be told later.

A folder's hash covers the names and contents of its files, but for derived ones: `index` folders and lock files. What
is no file, as a socket, does not count. Of a file larger than 64 MiB in a folder, size, first and last MiB stand for
the whole: all weights of a model change with training, and reading tens of gigabytes only to name them is not worth it.
Files named by themselves are read whole.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from agentbench.app.writing import write_json
from agentbench.config.keys import leaves

RUN = "run.json"
WRITTEN = ("trajectories.jsonl", "rows.jsonl", "validation.jsonl", "adapter", "model", "world", "worlds")
"""What runs leave in their folders for others."""
READ = ("model.path", "model.adapter", "regrade")
"""Keys whose folders are inputs; other folders, such as caches, are not."""
_WHOLE = 64 * 2**20
_PART = 2**20
_DERIVED = frozenset({"index", ".lock"})


def inputs_of(config: Any) -> dict[str, dict[str, Any]]:
    """Every file that a configuration names, and the folders of `READ`, by key.

    Raises:
        OSError: one cannot be read.
    """
    found: dict[str, dict[str, Any]] = {}
    for key, value in leaves(dataclasses.asdict(config)) if config is not None else ():
        folder = key in READ and isinstance(value, Path | str) and Path(value).is_dir()
        if folder or (isinstance(value, Path) and value.is_file()):
            found[key] = described(Path(value))
    return found


def outputs_of(folder: Path) -> dict[str, dict[str, Any]]:
    """What a run left for others in its folder, by name.

    Raises:
        OSError: it cannot be read.
    """
    return {name: described(folder / name) for name in WRITTEN if (folder / name).exists()}


def add_inputs(folder: Path, paths: Mapping[str, Path]) -> None:
    """Notes in a run's record what it read beside that which its configuration names: worlds, tasks, a cached model.

    A folder without a record, as within a run, is left alone.

    Raises:
        OSError: the record cannot be written, or a path not be read.
    """
    record = folder / RUN
    if not record.is_file():
        return
    content = orjson.loads(record.read_bytes())
    content["inputs"] |= {key: described(path) for key, path in paths.items()}
    write_json(record, content)


def described(path: Path) -> dict[str, Any]:
    """Path, size, hash, and the folder of the run that wrote it; that is empty where it lies in none."""
    files = sorted(_files(path)) if path.is_dir() else [path]
    digest = _folder_hash(path, files) if path.is_dir() else _file_hash(path)
    size = sum(file.stat().st_size for file in files)
    return {"path": str(path), "bytes": size, "sha256": digest, "run": str(run_of(path) or "")}


def run_of(path: Path) -> Path | None:
    """The folder of the run that a file or folder belongs to: the nearest one above it, or itself, with a record."""
    places = (path, *path.parents)
    return next((place for place in places if (place / RUN).is_file()), None)


def _files(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _DERIVED:
            continue
        if path.is_dir():
            yield from _files(path)
        elif path.is_file():
            yield path


def _folder_hash(folder: Path, files: list[Path]) -> str:
    whole = hashlib.sha256()
    for file in files:
        large = file.stat().st_size > _WHOLE
        part = _ends_hash(file) if large else _file_hash(file)
        whole.update(f"{file.relative_to(folder).as_posix()}\n{part}\n".encode())
    return whole.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _ends_hash(path: Path) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        ends = hashlib.sha256(f"{size}\n".encode() + file.read(_PART))
        file.seek(size - _PART)
        ends.update(file.read(_PART))
    return ends.hexdigest()
