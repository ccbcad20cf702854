"""Files that are there whole or not at all, whatever ends the process or the machine: draft, flush to disk, rename."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from agentbench.formats import KEY, Format


def write_whole(path: Path, content: bytes) -> None:
    """Writes or replaces a file; a reader sees the old one or the new one, also after a power failure.

    Raises:
        OSError: it cannot be written; the old one stays as it was, and no draft is left.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Replaces a JSON file, indented; what JSON does not know is written as text.

    Raises:
        OSError: it cannot be written.
    """
    options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE | orjson.OPT_NON_STR_KEYS
    write_whole(path, orjson.dumps(content, option=options, default=str))


def write_record(path: Path, known: Format, content: Any) -> None:
    """Replaces a file that holds one record, which says its format.

    Raises:
        OSError: it cannot be written.
    """
    write_json(path, {KEY: known.tag} | orjson.loads(orjson.dumps(content, default=str)))
