"""A run's folder looked through: versions, what cannot be read, what changed."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from agentbench.app.checksums import write_checksums
from agentbench.errors import GateFailed, PreflightError
from agentbench.reporting.inspection import inspect_run, inspection_table

V1 = Path(__file__).parents[1] / "formats" / "data" / "v1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a run of version 1 left, with one line of version 2 behind, and checksums."""
    for name in ("trajectories.jsonl", "summary.json", "run.json"):
        shutil.copy(V1 / name, tmp_path)
    with (tmp_path / "trajectories.jsonl").open("r+b") as file:
        first = file.readline()
        file.seek(0, 2)
        file.write(b'{"format":"trajectory/2",' + first[1:])
    write_checksums(tmp_path)
    return tmp_path


def shown(folder: Path) -> str:
    screen = io.StringIO()
    Console(file=screen, width=160).print(inspection_table(inspect_run(folder)))
    return screen.getvalue()


def test_every_file_says_its_version_and_the_checksums_hold(folder: Path) -> None:
    inspect_run(folder).gate()
    assert "trajectory/2 (1), version 1, unnamed (2)" in shown(folder) and "all checksums hold" in shown(folder)


def test_a_file_that_changed_and_one_that_cannot_be_read_fail_the_gate(folder: Path) -> None:
    (folder / "trajectories.jsonl").write_bytes(b'{"format":"trajectory/3","new":1}\n')
    found = inspect_run(folder)
    assert found.changed == ("trajectories.jsonl: is not what it was",)
    assert [looked.name for looked in found.files if looked.problem] == ["trajectories.jsonl"]
    with pytest.raises(GateFailed, match="1 files cannot be read, 1 are not what they were"):
        found.gate()


def test_a_folder_without_a_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="nothing that a run wrote"):
        inspect_run(tmp_path)
    with pytest.raises(PreflightError, match="no folder"):
        inspect_run(tmp_path / "gone")
