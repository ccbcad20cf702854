"""A sweep of trainings ends in one table and one file."""

from __future__ import annotations

import io
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from agentbench.app import Job
from agentbench.training.sweep_table import sum_up, sweep_table


@pytest.fixture
def jobs(tmp_path: Path) -> list[Job]:
    """Two finished jobs and one that was stopped."""
    made = []
    for number, beta in enumerate(("0.1", "0.3", "1")):
        folder = tmp_path / str(number)
        folder.mkdir()
        figures = {"steps": 6, "trained_parameters": 25600, "loss": 0.5, "validation": {"loss": 0.25, "accuracy": 0.75}}
        if number < 2:
            (folder / "metrics.json").write_bytes(orjson.dumps(figures))
        made.append(Job(("rows=[a.jsonl]", f"stage.beta={beta}"), folder, "" if number < 2 else "out of memory"))
    return made


def test_what_was_varied_is_a_column_and_what_was_not_stands_above(jobs: list[Job]) -> None:
    text = io.StringIO()
    Console(width=140, file=text).print(sweep_table(sum_up(jobs)))
    lines = text.getvalue().splitlines()
    assert lines[0].split() == ["rows=[a.jsonl]"]
    assert [word for word in lines[4].split() if word != "│"] == ["0.1", "6", "25,600", "0.5000", "0.2500", "75.0%"]
    assert "out of memory" in lines[6]


def test_the_same_is_written_beside_the_jobs(jobs: list[Job], tmp_path: Path) -> None:
    sum_up(jobs)
    written = orjson.loads((tmp_path / "sweep.json").read_bytes())
    assert [outcome["settings"]["stage.beta"] for outcome in written] == ["0.1", "0.3", "1"]
    assert written[0]["figures"]["accuracy"] == 0.75
    assert written[2] == {**written[2], "figures": {}, "problem": "out of memory"}


def test_the_success_of_what_was_trained_comes_first(jobs: list[Job]) -> None:
    success = {"count": 3, "n": 4, "rate": 0.75, "low": 0.3, "high": 0.95}
    played = jobs[1].folder / "eval"
    played.mkdir()
    (played / "summary.json").write_bytes(orjson.dumps({"success": success}))
    text = io.StringIO()
    Console(width=160, file=text).print(sweep_table(sum_up(jobs)))
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in text.getvalue().splitlines()[4:7]]
    assert [row[1:4] for row in rows] == [["–"] * 3, ["75.0 %", "30.0 – 95.0 %", "4"], ["–"] * 3]
