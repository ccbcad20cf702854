"""Runs held against each other, and runs that must not be."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from agentbench.config.env import M3Env
from agentbench.errors import ConfigError
from agentbench.reporting.comparison import compare
from agentbench.reporting.comparison_tables import comparison_tables, runs_table
from agentbench.reporting.run_folder import Run

from .made_runs import episode, failed, task, with_config, write_run


def solves(folder: Path, outcomes: str, **more: object) -> Run:
    """A run on tasks 0, 1 …, of which those with a `+` are solved."""
    return write_run(folder, [episode(task(str(n)), mark == "+") for n, mark in enumerate(outcomes)], more or None)


def test_three_runs_are_compared_with_the_first_and_corrected_for_their_number(tmp_path: Path) -> None:
    runs = [
        solves(tmp_path / "base", "---------+"),
        solves(tmp_path / "sft", "++++++---+"),
        solves(tmp_path / "dpo", "++--------"),
    ]
    found = compare(runs, ())
    sft, dpo = found.against_first
    assert (sft.name, sft.difference.only_second, sft.difference.only_first) == ("sft", 6, 0)
    assert sft.difference.p == pytest.approx(2 / 64) and sft.p_holm == pytest.approx(4 / 64)  # 2 · (1/2)^6, twice
    assert dpo.difference.p == dpo.p_holm == pytest.approx(1.0)  # two gained, one lost: 2 · (1 + 3) / 8
    assert (found.runs[1].figures.success.count, dpo.difference.value) == (7, pytest.approx(0.1))


def test_a_flip_shows_the_first_step_at_which_the_runs_part(tmp_path: Path) -> None:
    before = write_run(tmp_path / "a", [episode(task("t"), False), episode(task("u"), True)])
    after = write_run(tmp_path / "b", [episode(task("t"), True, call="search"), episode(task("u"), False)])
    gained, lost = compare([before, after], ()).against_first[0].flips
    assert (gained.task, gained.first, gained.second, lost.task) == ("t", 0.0, 1.0, "u")
    assert gained.apart is not None and lost.apart is not None
    assert gained.apart.step == 1 and gained.apart.first.startswith("agent: look_up() [gold_call] → found")
    assert gained.apart.second.startswith("agent: search()")
    assert (lost.apart.step, "answers 'Ada'" in lost.apart.first, "answers 'Bob'" in lost.apart.second) == (
        2,
        True,
        True,
    )


def test_other_horizons_worlds_judges_and_tasks_are_refused_by_their_keys(tmp_path: Path) -> None:
    first, second = solves(tmp_path / "a", "+-"), solves(tmp_path / "b", "+-+")
    second = with_config(second, env=M3Env(horizon=5, worlds=("films",)), concurrency=1)
    with pytest.raises(ConfigError) as caught:
        compare([first, second], ())
    assert [line.split(":")[0] for line in caught.value.problems] == ["env.horizon", "env.worlds", "tasks"]
    assert "env.horizon: 20 in a, 5 in b – not comparable" in caught.value.problems
    assert "allow=[env.horizon,env.worlds,tasks]" in caught.value.next_step


def test_what_differs_on_purpose_may(tmp_path: Path) -> None:
    first, second = solves(tmp_path / "a", "+-"), with_config(solves(tmp_path / "b", "+-+"), env=M3Env(horizon=5))
    found = compare([first, second], ("env", "tasks"))
    assert found.against_first[0].difference.tasks == 2 and found.settings["env.horizon"] == [20, 5]


def test_a_task_that_asks_something_else_under_the_same_id_is_refused(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", [episode(task("t"), True)])
    second = write_run(tmp_path / "b", [episode(task("t", hops=2), True)])
    with pytest.raises(ConfigError, match=r"^tasks: 1 ask or hold right something else in b \(t\)"):
        compare([first, second], ())


def test_the_same_run_twice_and_runs_without_a_common_task_are_refused(tmp_path: Path) -> None:
    first, second = solves(tmp_path / "a", "+"), write_run(tmp_path / "b", [episode(task("other"), True)])
    with pytest.raises(ConfigError, match="the same run is named twice"):
        compare([first, first], ())
    with pytest.raises(ConfigError, match="have none in common"):
        compare([first, second], ("tasks",))


def test_failures_of_a_run_are_seen_beside_its_success_with_and_without_them(tmp_path: Path) -> None:
    broken = [episode(task("0"), True), failed(task("1"), "LlmError: gone")]
    found = compare([solves(tmp_path / "a", "++"), write_run(tmp_path / "b", broken)], ())
    rows = dict(zip(*(column.cells for column in runs_table(found).columns[::2]), strict=True))
    assert [rows[name] for name in ("success", "failures (counted as unsolved)", "success without failures")] == [
        "50.0 %",
        "1",
        "100.0 %",
    ]


def test_the_tables_show_runs_differences_and_flips_without_obeying_what_was_said(tmp_path: Path) -> None:
    evil = task("[red]t\x1b[31m")
    runs = [write_run(tmp_path / name, [episode(evil, solved)]) for name, solved in (("a", True), ("b", False))]
    screen = io.StringIO()
    Console(file=screen, width=140, force_terminal=False).print(comparison_tables(compare(runs, ()), 3))
    shown = screen.getvalue()
    assert "[red]t\\x1b[31m" in shown and "\x1b" not in shown
    assert "-100.0 points" in shown and "step 2: agent: answers 'Ada'" in shown
