"""What a page says of a run, a comparison and a training, and how figures fit into it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from rich.table import Table
from rich.text import Text

from agentbench.reporting.comparison import compare
from agentbench.reporting.html.contents import (
    comparison_page,
    final_figures,
    run_page,
    sweep_page,
    table_of,
    training_page,
)
from agentbench.reporting.html.figures import SERIES, Bar, shares
from agentbench.reporting.html.page import Link, Page, Pair, Tile
from agentbench.reporting.interventions import interventions
from agentbench.reporting.plots import Measure, Point, drawing
from agentbench.reporting.run_folder import Run
from agentbench.reporting.statistics import statistics

from ..made_runs import episode, helped, task, write_run

RECORD = {
    "entry": "train",
    "command": "python -m agentbench.train",
    "git": None,
    "started": "2026-01-31T12:00:00",
    "seed": 3,
}


def test_a_table_of_the_terminal_keeps_its_words_as_they_are() -> None:
    table = Table("run", title="success")
    table.add_column(Text("[b]rate"))
    table.add_row("[bold]first[/bold]", Text("[b]50 %"))
    shown = table_of(table)
    assert (shown.caption, shown.columns, shown.rows) == (
        "success",
        ("run", "[b]rate"),
        (("[bold]first[/bold]", "[b]50 %"),),
    )


def page_of(run: Run) -> Page:
    return run_page(run, statistics(run.facts(), {}, None), interventions(run.trajectories()), ("errors: none",))


def test_a_run_is_told_by_tables_and_by_figures_where_settings_differ(tmp_path: Path) -> None:
    asked = [task("a", scenario="api"), task("b", scenario="rag")]
    run = write_run(tmp_path / "run", [episode(one, solved=one.id == "a") for one in asked])
    page = page_of(run)
    summary, over_steps = page.sections
    assert summary.tables[0].rows[-1][:4] == ("all", "2", "1", "50.0 %")
    assert [figure.caption for figure in summary.figures] == ["Success by scenario, with 95 % intervals"]
    assert [figure.caption for figure in over_steps.figures] == ["Step categories by the step's number"]
    assert (over_steps.tables[0].rows[0][:3], over_steps.tables[0].right[:2]) == (("1", "2", "100 %"), (0, 1))
    assert page.runs == ("run",) and page.command == "python -m agentbench.eval"
    assert summary.text.splitlines() == ["no baselines were played beside this run", "errors: none"]
    assert summary.tiles[:2] == (
        Tile("success", "50.0 %", "9.5 – 90.5 %, 2 tasks"),
        Tile("steps per episode", "2.00", "–"),
    )


def test_samples_of_a_task_are_told_by_all_and_by_any_of_them(tmp_path: Path) -> None:
    played = [episode(task(name), solved=sample == 0, sample=sample) for name in "ab" for sample in (0, 1)]
    table = page_of(write_run(tmp_path / "run", played)).sections[0].tables[1]
    assert table.rows[1][:2] == ("2", "100.0 %") and table.rows[1][3] == "0.0 %"  # one of both is solved, never both


def test_an_overseer_is_told_by_when_it_called_the_expert_and_what_it_let_through(tmp_path: Path) -> None:
    # of 4 steps the expert takes 2; the agent would have done the same once; its own are a good and a bad one
    run = write_run(tmp_path / "run", [helped(task("a"), agrees=True), helped(task("b"), agrees=False)])
    overseer = page_of(run).sections[2]
    assert overseer.text.startswith("50.0 % (9.5 – 90.5 %) of 2 steps that it left to the agent were graded bad.")
    assert [figure.caption.split(":")[0] for figure in overseer.figures] == [
        "Share of steps that the expert took, by the step's number",
        "Interventions by reason",
    ]
    assert page_of(run).sections[0].tiles[-1] == Tile("steps by the expert", "50.0 %", "2 of 4")


def test_a_comparison_leads_from_each_flipped_task_to_both_of_its_episodes(tmp_path: Path) -> None:
    first = write_run(tmp_path / "a", [episode(task("t"), False), episode(task("u"), True)])
    again = [episode(task("t"), False), episode(task("t"), True, sample=1), episode(task("u"), True)]
    page = comparison_page(compare([first, write_run(tmp_path / "b", again)], ()))
    summary, flipped = page.sections
    assert summary.figures[0].caption == "Success less that of a, with 95 % intervals"
    assert flipped.tables[0].rows[0][:5] == (Link("t", "#pair=0"), "Who made t?", "0.0 %", "50.0 %", "2")
    assert page.pairs == (Pair("t", (0, 0), (1, 1), 2),)


def test_runs_with_different_amounts_of_help_are_drawn_against_it(tmp_path: Path) -> None:
    alone = write_run(tmp_path / "alone", [episode(task("t"), False)])
    advised = write_run(tmp_path / "advised", [helped(task("t"), agrees=False)])
    (summary, *_) = comparison_page(compare([alone, advised], ("expert_mode",))).sections
    captions = [figure.caption for figure in summary.figures]
    assert captions[1] == "Success against expert steps per episode, with 95 % intervals"
    assert ">advised<" in summary.figures[1].svg and "help" not in "".join(captions)  # a gold expert costs no tokens


def test_a_sweep_is_drawn_in_the_pages_colours(tmp_path: Path) -> None:
    points = [Point({"horizon": str(n)}, n / 10, 0.0, 0.9) for n in (2, 4)]
    (section,) = sweep_page(tmp_path, Table("job"), drawing(points, Measure("success", share=True)), ()).sections
    assert "currentColor" in section.figures[0].svg and "#000000" not in section.figures[0].svg
    assert sweep_page(tmp_path, Table("job"), None, ()).sections[0].figures == ()


def test_a_training_shows_its_curves_and_how_it_ended(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.69}\n{"step": 2, "loss": 0.5, "eval_loss": 0.6}\n')
    (tmp_path / "metrics.json").write_text('{"steps": 2, "loss": 0.5}')
    took = {"wall_seconds": 61.2, "cpu_seconds": 59.6, "peak_memory_bytes": {"ram": 3 * 2**29}}
    (section,) = training_page(tmp_path, {**RECORD, **took}, ()).sections
    assert section.tables[0].rows[2:] == (
        ("seconds, loading included", "61"),
        ("CPU seconds", "60"),
        ("peak memory (ram), GiB", "1.50"),
    )
    assert [figure.caption for figure in section.figures] == ["Loss"]
    assert final_figures(tmp_path) == (("steps", "2"), ("loss", "0.5"))


def test_a_training_that_did_not_end_has_a_page_too(tmp_path: Path) -> None:
    assert training_page(tmp_path, RECORD, ()).sections[0].figures == ()


def test_a_figure_is_one_svg_in_the_pages_colours_whatever_names_hold() -> None:
    figure = shares("Success <of> it", {"$x^2": [Bar("films & $y_", 0.5, 0.4, 0.6, 9)], "b": [Bar("z", 1, 0.9, 1, 9)]})
    root = ET.fromstring(figure.svg)
    assert root.tag.endswith("svg") and "currentColor" in figure.svg and SERIES[1] in figure.svg
    assert "films & $y_" in "".join(root.itertext()) and "<of>" not in figure.svg
