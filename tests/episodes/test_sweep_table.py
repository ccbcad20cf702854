"""The table that ends a sweep."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from agentbench.app import Job
from agentbench.episodes.rates import Rate
from agentbench.episodes.summary import ExpertSettings, assistance, tracker, write_summary
from agentbench.episodes.sweep_table import Outcome, sum_up, sweep_table
from agentbench.episodes.tally import Tally

SUMMARY = dataclasses.replace(
    Tally(ExpertSettings()).summary(),
    success=Rate(3, 4, 0.75, 0.3, 0.95),
    total_time_steps=17,
    expert_assistance=assistance(ExpertSettings(), tracker(1, 3, {})),
)


@pytest.fixture
def outcomes(tmp_path: Path) -> tuple[Outcome, ...]:
    """Of two jobs that share a setting: one that ended well and one that had no tasks."""
    (tmp_path / "0").mkdir()
    write_summary(tmp_path / "0", SUMMARY)
    first = Job(("env.tools=rest", "seed=1"), tmp_path / "0", "")
    second = Job(("env.tools=selection", "seed=1"), tmp_path / "1", "no task matches")
    return sum_up([first, second])


def shown(outcomes: tuple[Outcome, ...]) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=140).print(sweep_table(outcomes))
    return screen.getvalue().splitlines()


def test_each_job_has_a_row_with_what_sets_it_apart(outcomes: tuple[Outcome, ...]) -> None:
    row = next(line for line in shown(outcomes) if "rest" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")] == [
        *("rest", "4", "3", "75.0 %", "30.0 – 95.0 %", "25.0 %", "17", "")
    ]


def test_a_job_that_failed_says_why_and_hides_no_other(outcomes: tuple[Outcome, ...]) -> None:
    row = next(line for line in shown(outcomes) if "selection" in line)
    assert "no task matches" in row and "%" not in row


def test_what_stands_in_brackets_is_shown(tmp_path: Path) -> None:
    shared = "env.worlds=[films]"
    jobs = [Job((shared, f"env.servers.a.command=[{name}]"), tmp_path / name, f"no {name} [/here]") for name in "xy"]
    title, *rows = shown(sum_up(jobs))
    assert title.strip() == shared
    assert sum("[x]" in row and "no x [/here]" in row for row in rows) == 1


def test_what_all_jobs_share_stands_in_the_title(outcomes: tuple[Outcome, ...]) -> None:
    lines = shown(outcomes)
    assert lines[0].strip() == "seed=1" and sum("seed" in line for line in lines) == 1


def test_the_outcomes_are_kept_beside_the_jobs(outcomes: tuple[Outcome, ...], tmp_path: Path) -> None:
    kept = orjson.loads((tmp_path / "sweep.json").read_bytes())
    assert [job["settings"]["env.tools"] for job in kept] == ["rest", "selection"]
    assert kept[0]["success"]["count"] == 3 and kept[1]["success"] is None
