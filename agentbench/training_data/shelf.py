"""Walks of many tasks put aside on disk and taken back task by task."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from pydantic import TypeAdapter

from agentbench.training_data.rows import json_of
from agentbench.training_data.trajectory_pairs import Walk

_WALK = TypeAdapter(Walk)


class _Place(NamedTuple):
    start: int
    size: int


class Shelf:
    """Keeps walks in a file and their places in memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._places: dict[str, list[_Place]] = {}

    def put(self, walk: Walk) -> None:
        """Keeps a walk.

        Raises:
            OSError: the disk is full.
        """
        line = json_of(walk)
        self._places.setdefault(walk.task, []).append(_Place(self._file.tell(), len(line)))
        self._file.write(line)

    def tasks(self) -> Iterator[list[Walk]]:
        """The walks of each task, in the order of the tasks' ids."""
        for task in sorted(self._places):
            yield [self._walk(place) for place in self._places[task]]

    def _walk(self, place: _Place) -> Walk:
        self._file.seek(place.start)
        return _WALK.validate_json(self._file.read(place.size))


@contextmanager
def shelf(folder: Path) -> Iterator[Shelf]:
    """An empty shelf whose file has no name and is gone afterwards."""
    with tempfile.TemporaryFile(dir=folder) as file:
        yield Shelf(file)
