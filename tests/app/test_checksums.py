"""Checksums of a run's folder: written as coreutils read them, compared line by line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentbench.app.checksums import CHECKSUMS, changed, write_checksums
from agentbench.errors import DataError, PreflightError

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""FIPS 180-4's own example."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two files, one of them in a folder with an odd name, and a log."""
    (tmp_path / "rows.jsonl").write_text("abc")
    (tmp_path / "back\\slash\nline").mkdir()
    (tmp_path / "back\\slash\nline" / "a b").write_text("abc")
    (tmp_path / "rollout.log").write_text("a line")
    write_checksums(tmp_path)
    return tmp_path


def test_every_file_but_the_log_has_a_line(folder: Path) -> None:
    odd = f"\\{SHA256_OF_ABC}  back\\\\slash\\nline/a b"
    assert (folder / CHECKSUMS).read_text().splitlines() == [odd, f"{SHA256_OF_ABC}  rows.jsonl"]


def test_coreutils_read_it(folder: Path) -> None:
    done = subprocess.run(["sha256sum", "--strict", "-c", CHECKSUMS], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0 and done.stdout.count(b": OK") == 2


def test_nothing_is_said_of_files_that_are_what_they_were_or_came_later(folder: Path) -> None:
    (folder / "later").write_text("new")
    assert changed(folder) == ()


def test_each_file_that_differs_has_a_line(folder: Path) -> None:
    (folder / "rows.jsonl").write_text("abd")
    (folder / "back\\slash\nline" / "a b").unlink()
    assert changed(folder) == ("back\\slash\nline/a b: is missing", "rows.jsonl: is not what it was")


def test_a_folder_without_a_list_or_with_a_broken_one_is_one_line(folder: Path) -> None:
    (folder / CHECKSUMS).write_text("abc  rows.jsonl\n")
    with pytest.raises(DataError, match="line 1: not a hash and a name"):
        changed(folder)
    (folder / CHECKSUMS).unlink()
    with pytest.raises(PreflightError, match="cannot be read"):
        changed(folder)
