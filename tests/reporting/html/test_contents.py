"""What a page says of a run, a comparison and a training, and how figures fit into it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from rich.table import Table
from rich.text import Text

from agentbench.reporting.html.contents import final_figures, run_page, table_of, training_page
from agentbench.reporting.html.figures import SERIES, Bar, shares
from agentbench.reporting.interventions import interventions
from agentbench.reporting.statistics import statistics

from ..made_runs import episode, task, write_run

RECORD = {
    "entry": "train",
    "command": "python -m agentbench.train",
    "git": None,
    "started": "2026-01-31T12:00:00",
    "seed": 3,
}


def test_a_table_of_the_terminal_keeps_its_words_and_loses_its_markup() -> None:
    table = Table("run", title="success")
    table.add_column(Text("[b]rate"))
    table.add_row("[bold]first[/bold]", Text("[b]50 %"))
    shown = table_of(table)
    assert (shown.caption, shown.columns, shown.rows) == ("success", ("run", "[b]rate"), (("first", "[b]50 %"),))


def test_a_run_is_told_by_tables_and_by_figures_where_settings_differ(tmp_path: Path) -> None:
    asked = [task("a", scenario="api"), task("b", scenario="rag")]
    run = write_run(tmp_path / "run", [episode(one, solved=one.id == "a") for one in asked])
    page = run_page(run, statistics(run.facts(), {}, None), interventions(run.trajectories()))
    summary, over_steps = page.sections
    assert summary.tables[0].rows[-1][:4] == ("all", "2", "1", "50.0 %")
    assert [figure.caption for figure in summary.figures] == ["Success by scenario, with 95 % intervals"]
    assert [figure.caption for figure in over_steps.figures] == ["Step categories by the step's number"]
    assert page.runs == ("run",) and "python -m agentbench.eval" in page.subtitle


def test_a_training_shows_its_curves_and_how_it_ended(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "loss": 0.69}\n{"step": 2, "loss": 0.5, "eval_loss": 0.6}\n')
    (tmp_path / "metrics.json").write_text('{"steps": 2, "loss": 0.5}')
    (section,) = training_page(tmp_path, RECORD, ()).sections
    assert [figure.caption for figure in section.figures] == ["Loss"]
    assert final_figures(tmp_path) == (("steps", "2"), ("loss", "0.5"))


def test_a_training_that_did_not_end_has_a_page_too(tmp_path: Path) -> None:
    assert training_page(tmp_path, RECORD, ()).sections[0].figures == ()


def test_a_figure_is_one_svg_in_the_pages_colours_whatever_names_hold() -> None:
    figure = shares("Success <of> it", {"$x^2": [Bar("films & $y_", 0.5, 0.4, 0.6, 9)], "b": [Bar("z", 1, 0.9, 1, 9)]})
    root = ET.fromstring(figure.svg)
    assert root.tag.endswith("svg") and "currentColor" in figure.svg and SERIES[1] in figure.svg
    assert "films & $y_" in "".join(root.itertext()) and "<of>" not in figure.svg
