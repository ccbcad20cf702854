"""`trajectories.jsonl`: one line per episode, only ever appended to.

An episode is known by its task's id and its sample. One that ended with an error is run again on resume and then stands
there twice: its last line counts, and every reader here gives it once.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, NamedTuple, Self

import orjson
from pydantic import ValidationError

from agentbench.episodes.encoding import decode, encode
from agentbench.errors import DataError, PreflightError
from agentbench.formats import TRAJECTORY
from agentbench.types import EndReason, Trajectory

TRAJECTORIES = "trajectories.jsonl"

CHECKPOINT_S = 5.0
"""A power failure loses at most the episodes of this many seconds; the death of the process loses none."""


class EpisodeId(NamedTuple):
    """What tells one episode of a run from the others."""

    task: str
    sample: int


class TrajectoryWriter:
    """Appends to a run folder's `trajectories.jsonl`; a context manager.

    Every episode is handed to the operating system at once and forced to disk every `CHECKPOINT_S` and at the end.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / TRAJECTORIES
        self._file = _open(self.path)
        self._end = os.fstat(self._file).st_size
        self._synced = time.monotonic()

    def append(self, trajectory: Trajectory) -> None:
        """Writes one episode. Blocks while a checkpoint reaches the disk.

        Raises:
            PreflightError: the disk is full or gone; the file still holds every earlier episode and no half one.
            TypeError: the trajectory has no JSON form; nothing was written.
        """
        line = TRAJECTORY.tagged(encode(trajectory)) + b"\n"
        try:
            self._write(line)
            if time.monotonic() - self._synced >= CHECKPOINT_S:
                os.fdatasync(self._file)
                self._synced = time.monotonic()
        except OSError as failure:
            os.ftruncate(self._file, self._end)
            raise PreflightError(
                f"{self.path} cannot be written: {failure.strerror}; all earlier episodes are kept",
                "make room, then resume the run",
            ) from failure
        self._end += len(line)

    def _write(self, line: bytes) -> None:
        left = memoryview(line)
        while left:
            left = left[os.write(self._file, left) :]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.fdatasync(self._file)
        os.close(self._file)


def read_trajectories(path: Path) -> Iterator[Trajectory]:
    """Every episode once, in the order of the lines that count, one in memory at a time.

    Raises:
        PreflightError: the file is not there.
        DataError: a line is no trajectory; the message names it, and the unknown or missing key.
    """
    counting = {line.number for line in _last_lines(path).values()}
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number in counting:
                yield _decode(line, path, number)


def finished_ids(path: Path) -> set[EpisodeId]:
    """The episodes that are over and did not end with an error: those that resume leaves out.

    Raises:
        PreflightError: the file is not there.
        DataError: a line is not JSON or has no id.
    """
    return {episode for episode, line in _last_lines(path).items() if not line.failed}


def repair(path: Path) -> int:
    """Cuts off a torn last line, which a killed process or a power failure leaves; the bytes that went.

    Raises:
        PreflightError: the file is not there.
        DataError: a line before the last one is broken; nothing was changed.
    """
    good = torn = 0
    with _reading(path) as file:
        for number, line in enumerate(file, 1):
            if torn:
                raise DataError(path, "not JSON, and further lines follow", number - 1)
            if line.endswith(b"\n") and _is_json(line):
                good += len(line)
            else:
                torn = len(line)
    if torn:
        os.truncate(path, good)
    return torn


class _Line(NamedTuple):
    number: int
    failed: bool


def _last_lines(path: Path) -> dict[EpisodeId, _Line]:
    found: dict[EpisodeId, _Line] = {}
    with _reading(path) as file:
        for number, line in enumerate(file, 1):
            try:
                values = TRAJECTORY.current(orjson.loads(line), path, number)
                episode = EpisodeId(values["task"]["id"], values.get("sample", 0))  # as the record's own default
                found[episode] = _Line(number, values["end"] == EndReason.ERROR)
            except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
                raise _broken(path, number) from None
    return found


def _broken(path: Path, number: int) -> DataError:
    return DataError(path, "not a trajectory", number, "resume the run: that cuts off a torn last line")


def _decode(line: bytes, path: Path, number: int) -> Trajectory:
    try:
        return decode(TRAJECTORY.current_json(line, path, number))
    except ValidationError as error:
        raise DataError(path, _problem(error.errors(include_url=False)), number) from None
    except ValueError as error:
        raise DataError(path, str(error), number) from None


def _problem(errors: list[Any]) -> str:
    unknown = [error for error in errors if error["type"] == "unexpected_keyword_argument"]
    wrong_otherwise = {error["loc"][:-1] for error in errors if error not in unknown}  # other kinds of a union
    named = [error for error in unknown if error["loc"][:-1] not in wrong_otherwise]
    first = (named or errors)[0]
    place = ".".join(str(part) for part in first["loc"])
    return f"unknown key {place!r}" if named else f"{place}: {first['msg']}"


def _is_json(line: bytes) -> bool:
    try:
        orjson.loads(line)
    except orjson.JSONDecodeError:
        return False
    return True


def _reading(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as failure:
        raise PreflightError(f"{path} cannot be read: {failure.strerror}") from failure


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    except OSError as failure:
        raise PreflightError(f"{path} cannot be written: {failure.strerror}") from failure
