"""What of a folder is VAKRA's: inputs, ground truth and tool-universe maps, told by what they hold.

The capability is the number in the name of a folder above a file (`capability_2_dashboard_apis`, `task_2`); where no
folder has one, records are judged one by one. A task_5 of older releases is capability 4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from agentbench.config.yaml_text import read_yaml
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.vakra.records import is_prediction, is_record
from agentbench.tasks.vakra.universes import is_universe_map

_CAPABILITY = re.compile(r"(?:capability|cap|task)_?([1-5])(?![0-9])", re.IGNORECASE)
_NEVER = re.compile(r"_(?:docs|documents)\.json$|openapi", re.IGNORECASE)
"""Files of documents and endpoints, which may be large and are read elsewhere."""
_MAP_NAME = re.compile(r"universe|init_mapping", re.IGNORECASE)
"""YAML is slow to read: only files with such names are looked into."""
_NEXT = "give the folder that holds VAKRA's capability_* folders as data_dir=…"


class Raw(NamedTuple):
    """A record before it is read."""

    file: Path
    capability: int | None
    """From the folder's name; `None` where it says nothing."""
    value: dict[str, Any]


class Found(NamedTuple):
    """All a folder holds."""

    records: tuple[Raw, ...]
    universes: dict[str, tuple[Path, Any]]
    """By id: the file and the entry."""
    predictions: int
    """Records that are somebody's output, left out."""


def find(data_dir: Path) -> Found:
    """The records and universes below a folder, file by file in alphabetical order.

    Raises:
        PreflightError: there is no such folder, or no VAKRA file in it.
        DataError: a file that speaks of records is no JSON.
    """
    if not data_dir.is_dir():
        raise PreflightError(f"no folder at {data_dir}", _NEXT)
    records: list[Raw] = []
    universes: dict[str, tuple[Path, Any]] = {}
    predictions = 0
    for path in _candidates(data_dir):
        content = _content(path)
        if is_universe_map(content):
            universes.update({str(key): (path, entry) for key, entry in content.items()})
        elif isinstance(content, list) and content and any(map(is_record, content)):
            kept = [item for item in content if not (is_record(item) and is_prediction(item))]
            predictions += len(content) - len(kept)
            records += [Raw(path, _capability(path, data_dir), _object(item, path)) for item in kept]
    if not records:
        left = f" ({predictions} predictions)" if predictions else ""
        raise PreflightError(f"no VAKRA file in {data_dir}: no JSON list of records with a uuid and turns{left}", _NEXT)
    return Found(tuple(records), universes, predictions)


def _candidates(data_dir: Path) -> Iterator[Path]:
    for path in sorted(data_dir.rglob("*")):
        inside = path.relative_to(data_dir)
        if any(part.startswith(".") for part in inside.parts) or _NEVER.search(path.name) or not path.is_file():
            continue
        if path.suffix == ".json" or (path.suffix in (".yaml", ".yml") and _MAP_NAME.search(path.name)):
            yield path


def _content(path: Path) -> Any:
    """What a file says; `None` for one that is no JSON and does not speak of records either."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise DataError(path, f"cannot be read: {error.strerror}") from error
    try:
        if path.suffix != ".json":
            return _universes(path, text)
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if b'"uuid"' in text[:10_000]:
            raise DataError(path, f"no JSON: {error.msg}", error.lineno, _NEXT) from None
        return None


def _universes(path: Path, text: bytes) -> Any:
    try:
        return read_yaml(text)
    except ValueError as error:
        raise DataError(path, f"no YAML: {error}") from None


def _object(item: Any, path: Path) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise DataError(path, f"a list of records holds {str(item)[:80]!r}, not an object")
    return item


def _capability(path: Path, data_dir: Path) -> int | None:
    """From the folder nearest to the file; the data folder's own name counts as well."""
    for folder in (*path.relative_to(data_dir).parents, Path(data_dir.resolve().name)):
        match = _CAPABILITY.search(folder.name)
        if match:
            return min(int(match[1]), 4)
    return None
