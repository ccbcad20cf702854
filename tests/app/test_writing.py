"""Files that are there whole or not at all."""

from __future__ import annotations

import resource
from pathlib import Path

import orjson
import pytest

from agentbench.app.writing import write_record, write_whole
from agentbench.formats import CARD


def test_a_file_is_replaced_and_no_draft_is_left(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        write_whole(tmp_path / "file", content)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_what_does_not_fit_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    write_whole(tmp_path / "file", b"old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            write_whole(tmp_path / "file", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"old")]


def test_a_record_says_its_format_first(tmp_path: Path) -> None:
    write_record(tmp_path / "card.json", CARD, {"rows": 3, "path": Path("a")})
    assert list(orjson.loads((tmp_path / "card.json").read_bytes()).items()) == [
        *(("format", "card/1"), ("rows", 3), ("path", "a"))
    ]
