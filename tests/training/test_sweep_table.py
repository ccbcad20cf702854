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


def test_a_training_in_rounds_is_worth_what_its_last_student_is(jobs: list[Job]) -> None:
    later = {"count": 2, "n": 4, "rate": 0.5, "low": 0.15, "high": 0.85}
    rounds = [{"round": 0, "success": {**later, "count": 1, "rate": 0.25}}, {"round": 1, "success": later}]
    (jobs[0].folder / "rounds.json").write_bytes(orjson.dumps(rounds))
    (jobs[1].folder / "rounds.json").write_bytes(orjson.dumps([{"round": 0, "success": None}]))
    first, second, _ = sum_up(jobs)
    assert first.success is not None and (first.success.rate, first.success.n) == (0.5, 4)
    assert second.success is None
