"""A record that holds something else than it did has a new version: what each one holds is kept as text beside this.

Where a test here fails, add a step to `agentbench/formats`, a test with a small file of the old version, and the new
text: `python tests/formats/test_shapes.py` writes those that are missing.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import StrEnum
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.app.record import RunRecord
from agentbench.episodes.summary import Summary
from agentbench.formats import CARD, FORMATS, INDEX, PREFERENCE, RUN, SFT, SUMMARY, TASK, TRAJECTORY, WORLD, Format
from agentbench.tools.retriever.quantised import IndexInfo
from agentbench.training_data.card import Card
from agentbench.training_data.rows import PreferenceRow, SftRow
from agentbench.types import Task, Trajectory
from agentbench.worlds.manifest import Manifest

RECORDS: dict[Format, type] = {
    TRAJECTORY: Trajectory,
    TASK: Task,
    PREFERENCE: PreferenceRow,
    SFT: SftRow,
    CARD: Card,
    SUMMARY: Summary,
    WORLD: Manifest,
    INDEX: IndexInfo,
}
SHAPES = Path(__file__).parent / "data" / "shapes"


def kept(known: Format) -> Path:
    """Where the shape of a format's present version is kept."""
    return SHAPES / f"{known.name}_{known.version}.txt"


@pytest.mark.parametrize("known", RECORDS, ids=lambda known: known.name)
def test_a_record_that_changes_has_a_new_version(known: Format) -> None:
    assert shape(RECORDS[known]) == kept(known).read_text(encoding="utf-8")


def test_a_run_record_that_changes_has_a_new_version(tmp_path: Path) -> None:
    record = RunRecord(tmp_path, "rollout", "python", 0)
    record.start()
    record.end(0)
    said = "".join(
        f"{key}\n" for key in sorted(RUN.current(orjson.loads((tmp_path / "run.json").read_bytes()), tmp_path))
    )
    assert said == kept(RUN).read_text(encoding="utf-8")


def test_every_format_is_looked_at() -> None:
    assert {*RECORDS, RUN} == set(FORMATS)


def shape(kind: type) -> str:
    """Fields with their types as they are written down, and choices, in alphabetical order."""
    return "\n".join(sorted({line for each in _reached(kind) for line in _lines(each)})) + "\n"


def _lines(kind: type) -> list[str]:
    if issubclass(kind, StrEnum):
        return [f"{kind.__name__} = {member.value}" for member in kind]
    return [f"{kind.__name__}.{name}: {written}" for name, written in kind.__annotations__.items()]


def _reached(kind: type, seen: set[type] | None = None) -> set[type]:
    seen = set() if seen is None else seen
    if kind in seen:
        return seen
    seen.add(kind)
    if not issubclass(kind, StrEnum):
        for hint in typing.get_type_hints(kind).values():
            for part in _parts(hint):
                _reached(part, seen)
    return seen


def _parts(hint: Any) -> list[type]:
    if isinstance(hint, types.GenericAlias | types.UnionType) or typing.get_origin(hint) is not None:
        return [part for argument in typing.get_args(hint) for part in _parts(argument)]
    named = isinstance(hint, type) and (dataclasses.is_dataclass(hint) or issubclass(hint, StrEnum))
    return [hint] if named else []


if __name__ == "__main__":
    for known, record in RECORDS.items():
        if not kept(known).is_file():
            kept(known).write_text(shape(record), encoding="utf-8")
