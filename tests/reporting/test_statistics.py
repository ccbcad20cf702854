"""A run's figures, from episodes whose outcome is known."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import pytest
from rich.console import Console

from agentbench.episodes.rates import wilson
from agentbench.errors import DataError, PreflightError
from agentbench.reporting.run_folder import read_labels, read_run
from agentbench.reporting.statistics import LAST_STEP, Labels, categories_by_step, figures, statistics
from agentbench.reporting.tables import run_tables
from agentbench.types import Rule, ToolKind, ToolSpec

from .made_runs import episode, failed, forbidden, task, write_run


def test_failures_are_named_by_kind_and_bound_the_rate(tmp_path: Path) -> None:
    played = [episode(task("a"), True), episode(task("b"), False), failed(task("c"), "LlmError: gone")]
    found = figures(write_run(tmp_path, played).facts())
    assert found.failures == {"LlmError": 1}
    assert (found.success.count, found.success.n) == (1, 3)
    assert (found.success_without_failures.rate, found.success_without_failures.n) == (0.5, 2)


def test_means_refusals_and_tool_errors_are_those_of_the_steps(tmp_path: Path) -> None:
    found = figures(write_run(tmp_path, [episode(task("a"), True), forbidden(task("b"))]).facts())
    means = {name: estimate.value for name, estimate in found.measures.items()}
    assert (means["steps"], means["failed calls"], means["policy violations"]) == (2.5, 0.5, 0.5)
    assert (means["prompt tokens"], means["completion tokens"]) == (105.0, 10.0)  # (100 + 110) / 2 and 20 / 2
    assert means["model seconds"] == 0.5 and "dollars" not in means
    assert (found.refused_wrongly.count, found.refused_wrongly.n, found.refused_rightly.n) == (1, 2, 0)


def test_a_forbidden_call_that_was_carried_out_is_a_violation_too(tmp_path: Path) -> None:
    asked = dataclasses.replace(task("a"), rules=(Rule("Use no API.", (ToolKind.API,)),))
    played = episode(asked, True, call="look_up")
    tools = (ToolSpec("look_up", "", {}, ToolKind.API),)
    played = dataclasses.replace(played, history=dataclasses.replace(played.history, tools=tools))
    found = figures(write_run(tmp_path, [played]).facts())
    assert found.measures["policy violations"].value == 1.0  # one of its two steps


def test_dollars_are_counted_where_tokens_have_a_price(tmp_path: Path) -> None:
    model = {
        "kind": "openai",
        "base_url": "http://127.0.0.1:1/v1",
        "name": "some",
        "price": {"prompt": 2.0, "completion": 5.0},
    }
    config = {"model": model, "template": {"kind": "teacher"}}
    found = figures(write_run(tmp_path, [episode(task("a"), True)], config).facts())
    assert found.measures["dollars"].value == pytest.approx((210 * 2 + 20 * 5) / 1e6)


def test_success_is_broken_down_by_what_tasks_tell(tmp_path: Path) -> None:
    played = [episode(task("a", scenario="api", hops=1), True), episode(task("b", scenario="rag", hops=2), False)]
    groups = figures(write_run(tmp_path, played).facts()).groups
    rates = {(by, name): rate.rate for by, found in groups.items() for name, rate in found.items()}
    assert rates == {
        ("domain", "films"): 0.5,
        **{("scenario", "api"): 1.0, ("scenario", "rag"): 0.0, ("hops", "1"): 1.0, ("hops", "2"): 0.0},
        ("turn", "1"): 0.5,
    }


def test_samples_give_pass_at_k_and_an_interval_over_tasks(tmp_path: Path) -> None:
    outcomes = {"a": (True, False), "b": (True, True), "c": (False, False), "d": (False, True)}
    played = [episode(task(name), solved, sample=n) for name, each in outcomes.items() for n, solved in enumerate(each)]
    found = statistics(write_run(tmp_path, played).facts(), {}, None)
    assert (found.run.tasks, found.run.episodes, found.run.success.rate) == (4, 8, 0.5)
    assert (found.pass_at[2].value, found.pass_all[2].value) == (0.75, 0.25)  # a, b, d; b alone
    assert found.run.success.high - found.run.success.low > wilson(4, 8)[1] - wilson(4, 8)[0]


def test_late_steps_are_taken_together(tmp_path: Path) -> None:
    one = write_run(tmp_path, [episode(task("a"), True)]).facts()[0]
    long = dataclasses.replace(one, categories=(one.categories[0],) * (LAST_STEP + 3))
    found = categories_by_step([one, long])
    assert len(found) == LAST_STEP + 1
    assert found[0] == {"gold_call": 2} and found[1] == {"correct_final": 1, "gold_call": 1}
    assert found[LAST_STEP] == {"gold_call": 3}


def test_a_judge_is_measured_by_the_rules_and_by_labels_where_there_are_some(tmp_path: Path) -> None:
    played = [episode(task(str(n)), n < 2, judge=1.0) for n in range(4)]
    facts = write_run(tmp_path, played).facts()
    by_rules = statistics(facts, {}, None).judged
    labels = Labels({("0", 0): True, ("1", 0): True, ("2", 0): True, ("3", 0): False}, "labels.jsonl")
    by_people = statistics(facts, {}, labels).judged
    assert by_rules is not None and by_people is not None
    assert (by_rules.by_judge.rate, by_rules.corrected.value, by_people.corrected.value) == (1.0, 0.5, 0.75)


def test_baselines_stand_beside_every_row(tmp_path: Path) -> None:
    run = write_run(tmp_path, [episode(task("a", scenario="api"), False), failed(task("b"), "LlmError: gone")])
    write_run(tmp_path / "baselines" / "gold", [episode(task(name, scenario="api"), True) for name in "ab"])
    write_run(tmp_path / "baselines" / "idle", [episode(task(name, scenario="api"), False) for name in "ab"])
    screen = io.StringIO()
    Console(file=screen, width=140).print(run_tables(statistics(run.facts(), run.baselines(), None)))
    row = next(line for line in screen.getvalue().splitlines() if "scenario api" in line)
    assert [cell.strip() for cell in row.strip("│").split("│")][-2:] == ["0.0 %", "100.0 %"]
    assert "all, without failures" in screen.getvalue() and "LlmError 1" in screen.getvalue()


def test_a_folder_without_a_run_is_told_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"^no run of episodes in .*: trajectories.jsonl is missing$"):
        read_run(tmp_path)
    write_run(tmp_path / "a", [])
    (tmp_path / "a" / ".hydra" / "config.yaml").write_text("nonsense: 1")
    with pytest.raises(DataError, match="written by another version"):
        read_run(tmp_path / "a")


def test_labels_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    path.write_text('{"task": "a", "solved": true}\n{"task": "a", "sample": 2, "solved": false}\n')
    assert read_labels(path) == {("a", 0): True, ("a", 2): False}
    path.write_text('{"task": "a", "solved": true}\n{"task": "a", "solved": "yes"}\n')
    with pytest.raises(DataError, match=r"labels\.jsonl, line 2: not a label"):
        read_labels(path)
