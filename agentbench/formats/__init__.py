"""Which version each kind of file has that runs leave for later, and how those of earlier versions are read.

A record says what it is itself: `"format": "trajectory/2"` is its first key, on every line of a file of lines. So lines
of several versions may stand in one file, as after `cat` and after a run that is resumed by a newer agentbench, and
tools that work line by line keep working. What says nothing is of version 1: it was written before files said so, or
by hand. Readers refuse what is newer than they are, and bring what is older to their own version, step by step.

Files are never rewritten for it: lineage and data cards know them by their hash. A version counts up with every change
of what the record holds, a new field included; tests/formats tells when one was forgotten. What can be made anew, as
search indices in a world's folder and caches, has no version.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from pydantic_core import from_json

from agentbench import __version__
from agentbench.errors import DataError
from agentbench.formats.steps import Content, only_additions, run_2, summary_2

Step = Callable[[Content], Content]
"""Turns what one version of a record holds into what the next one does; it may change what it is given."""

KEY = "format"


class Format(NamedTuple):
    """One kind of record."""

    name: str
    steps: tuple[Step, ...] = ()
    """The first leads from version 1 to version 2, and so on."""

    @property
    def version(self) -> int:
        """What this agentbench writes, and the newest that it reads."""
        return 1 + len(self.steps)

    @property
    def tag(self) -> str:
        """What a record says of itself."""
        return f"{self.name}/{self.version}"

    def tagged(self, record: bytes) -> bytes:
        """A JSON object, not an empty one, with its tag in front."""
        return _prefix(self) + record[1:]

    def current(self, content: Content, path: Path, line: int | None = None) -> Content:
        """What a record of any version holds in this one, its tag left out.

        Raises:
            DataError: it is of a newer version, another kind of record, or not what its version holds.
        """
        version = _version(self, content.get(KEY), path, line)
        found = {key: value for key, value in content.items() if key != KEY}
        for number, step in enumerate(self.steps[version - 1 :], version):
            try:
                found = step(found)
            except (LookupError, TypeError, AttributeError, ArithmeticError) as error:
                problem = f"is no {self.name} of version {number}: {type(error).__name__}: {error}"
                raise DataError(path, problem, line) from error
        return found

    def current_json(self, record: bytes, path: Path, line: int | None = None) -> bytes:
        """The same for JSON text; what is no JSON object at all is left to its reader's complaint.

        Raises:
            DataError: as `current`.
        """
        prefix = _prefix(self)
        if record.startswith(prefix):  # nearly always, and without reading it
            return b"{" + record[len(prefix) :]
        content = _parsed(record)
        if not isinstance(content, dict) or (KEY not in content and not self.steps):
            return record
        return _dumped(self.current(content, path, line))


TRAJECTORY = Format("trajectory", (only_additions,))
"""`trajectories.jsonl`, a line per episode."""
TASK = Format("task", (only_additions,))
"""Task files, a line per task: of worlds, and those of users."""
PREFERENCE = Format("preference")
"""`rows.jsonl` and `validation.jsonl` of prefs=step and prefs=trajectory, a line per pair."""
SFT = Format("sft")
"""The same files of prefs=sft, a line per example."""
CARD = Format("card")
"""`card.json`, the data card beside rows."""
SUMMARY = Format("summary", (summary_2,))
"""`summary.json` of a run of episodes."""
RUN = Format("run", (run_2,))
"""`run.json`, in every run's folder."""
WORLD = Format("world", (only_additions,))
"""`world.json`; the documents and the database of its folder are those of this version too."""
INDEX = Format("quantised")
"""`index.json` of an encyclopedia's search index (`prepare source=dump`)."""

FORMATS = (TRAJECTORY, TASK, PREFERENCE, SFT, CARD, SUMMARY, RUN, WORLD, INDEX)

_TAG = re.compile(r"([a-z]+)/([1-9]\d{0,8})")
_UPGRADE = "upgrade agentbench, or read it with the version that wrote it; a run's run.json names the commit"


def _version(known: Format, said: object, path: Path, line: int | None) -> int:
    if said is None:
        return 1
    match = _TAG.fullmatch(said) if isinstance(said, str) else None
    if match is None or match[1] != known.name:
        raise DataError(path, f"says that it is {said!r}, which is no {known.name}", line)
    version = int(match[2])
    if version > known.version:
        mine = f"agentbench {__version__} here reads {known.name} up to version {known.version}"
        raise DataError(path, f"is {said}, written by a newer agentbench; {mine}", line, _UPGRADE)
    return version


@cache
def _prefix(known: Format) -> bytes:
    return f'{{"{KEY}":"{known.tag}",'.encode()


def _parsed(record: bytes) -> Any:
    """What the text holds, integers of more than 64 bits as they are; `None` where it is no JSON."""
    try:
        return from_json(record, allow_inf_nan=False)
    except ValueError:
        return None


def _dumped(content: Content) -> bytes:
    try:
        return orjson.dumps(content)
    except TypeError:  # an integer of more than 64 bits, or half a surrogate pair
        return json.dumps(content).encode()
