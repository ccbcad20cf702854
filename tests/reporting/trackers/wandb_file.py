"""Reads W&B's offline file: a header of 7 bytes, then protobuf records in LevelDB's log format (blocks of 32 KiB)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK, _HEAD = 32768, struct.Struct("<IHB")


def offline_run(folder: Path) -> Path:
    """The only offline run below a run's folder."""
    (found,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    return found


def records(path: Path) -> list[Any]:
    """All records of a run, in order."""
    from wandb.proto import wandb_internal_pb2

    record = vars(wandb_internal_pb2)["Record"]  # made when the module is loaded, so that its stub does not know it
    return [record.FromString(content) for content in _contents(path.read_bytes())]


def _contents(data: bytes) -> Iterator[bytes]:
    assert data.startswith(b":W&B")
    place, parts = 7, b""
    while place + _HEAD.size <= len(data):
        left = _BLOCK - place % _BLOCK
        if left < _HEAD.size:
            place += left
            continue
        _, size, kind = _HEAD.unpack_from(data, place)
        parts += data[place + _HEAD.size : place + _HEAD.size + size]
        place += _HEAD.size + size
        if kind in (1, 4):  # the whole of a record, or its last part
            yield parts
            parts = b""
