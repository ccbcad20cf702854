"""The lines of a training's `metrics.jsonl` as points of curves, while the training goes on.

Our trainer callback writes that file in whichever process trains, so that every stage and every launcher is followed in
the same way, and ranks know nothing of trackers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson

from agentbench.reporting.trackers import Counted, Tracker

POLL_S = 1.0
"""Seconds between two looks at the file."""


@contextmanager
def following(path: Path, tracker: Tracker) -> Iterator[None]:
    """Sends every line that is written while the block runs, the last ones before it ends.

    A training that goes on with an earlier one rewrites the file up to its checkpoint first; those lines are sent
    too, so that the curves are whole.
    """
    reader = _Reader(path, tracker)
    over = threading.Event()

    def watch() -> None:
        while not over.wait(POLL_S):
            reader.read()

    thread = threading.Thread(target=watch, name="tracker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        reader.read()


class _Reader:
    """Reads complete lines, once each, from the moment on that the file is another one than at the start."""

    def __init__(self, path: Path, tracker: Tracker) -> None:
        self._path, self._tracker = path, tracker
        self._before = self._state()
        self._offset = 0

    def read(self) -> None:
        """Sends the lines that are new."""
        if self._offset == 0 and self._state() == self._before:
            return
        for line in self._complete_lines():
            values = orjson.loads(line)
            step = values.pop("step")
            figures = {_name(key): value for key, value in values.items() if _is_figure(value)}
            self._tracker.log(figures, step, Counted.STEPS)

    def _state(self) -> tuple[int, int] | None:
        if not self._path.is_file():
            return None
        found = self._path.stat()
        return found.st_mtime_ns, found.st_size

    def _complete_lines(self) -> list[bytes]:
        with self._path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole.splitlines()


def _name(key: str) -> str:
    """Validation figures apart from those of training steps: TRL marks them by their beginning."""
    return f"validation/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"


def _is_figure(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
