"""What a report shows of folders as runs leave them: whole, killed, swept, trained, or not there."""

from __future__ import annotations

import io
from pathlib import Path

import orjson
import pytest
from rich.console import Console

from agentbench.build import reporting
from agentbench.build.reporting import reported, write_report
from agentbench.config.report import ReportConfig
from agentbench.episodes.sweep_table import SWEEP
from agentbench.errors import DataError, PreflightError
from agentbench.reporting.html.page import PAGE
from tests.reporting.made_runs import episode, failed, task, write_folder, write_run


def shown(folder: Path, run: Path) -> str:
    """What the terminal shows; the page is in `folder`."""
    out = io.StringIO()
    Console(file=out, width=160).print(reported(ReportConfig(run=run, outputs=run), folder, lambda line: None))
    return out.getvalue()


def test_a_run_that_was_killed_has_a_report_too(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [episode(task("a"), True), failed(task("b"), "LlmError: gone")])
    assert not (run.folder / "summary.json").exists()
    text = shown(tmp_path, run.folder)
    assert "truncated: 0; errors: LlmError 1" in text and "without errors and unscored: 100.0 % of 1" in text
    assert "tokens of agent: 210 in prompts" in text  # 100 and 110
    assert (tmp_path / PAGE).is_file() and (tmp_path / "statistics.json").is_file()


def test_what_another_version_wrote_as_summary_does_not_matter(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [episode(task("a"), True)])
    (run.folder / "summary.json").write_text('{"n": 1}')
    assert "tokens of agent: 210 in prompts" in shown(tmp_path, run.folder)


def test_a_run_holds_its_own_report_when_asked_to(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", [episode(task("a"), True)])
    assert write_report(run.folder, 0) == run.folder / PAGE and (run.folder / PAGE).stat().st_size > 10_000


def test_a_sweep_is_its_table_its_plot_and_its_jobs_episodes(tmp_path: Path) -> None:
    rate = {"count": 1, "n": 1, "rate": 1.0, "low": 0.2, "high": 1.0}
    told = {"success": rate, "expert_share": 0.0, "steps": 2, "problem": ""}
    jobs = [{"settings": {"env.horizon": str(n)}, "folder": str(n), **told} for n in (2, 4)]
    (tmp_path / SWEEP).write_bytes(orjson.dumps(jobs))
    write_run(tmp_path / "2", [episode(task("a"), True)])
    assert "env.horizon" in shown(tmp_path, tmp_path)
    page = (tmp_path / PAGE).read_text()
    assert "Every job's figure against what was swept".replace("'", "&#x27;") in page and page.count("<svg") == 1
    (tmp_path / SWEEP).write_text("[{}]")
    with pytest.raises(DataError, match="no summary of a sweep of this version"):
        shown(tmp_path, tmp_path)


def test_a_training_shows_how_it_ended_and_its_page_its_curves(tmp_path: Path) -> None:
    write_folder(tmp_path / "run", [], entry="train")
    (tmp_path / "run" / "metrics.json").write_text('{"stage": "dpo", "loss": 0.5}')
    (tmp_path / "run" / "metrics.jsonl").write_text('{"step": 1, "loss": 0.69}\n{"step": 2, "loss": 0.5}\n')
    assert shown(tmp_path, tmp_path / "run") == "stage: dpo\nloss: 0.5\n"
    page = (tmp_path / PAGE).read_text()
    assert "<figcaption>Loss</figcaption>" in page and "CPU seconds" in page


def test_a_folder_without_a_run_is_told_with_the_runs_below_it(tmp_path: Path) -> None:
    write_run(tmp_path / "study" / "first", [episode(task("a"), True)])
    with pytest.raises(PreflightError, match="no run of episodes") as empty:
        shown(tmp_path, tmp_path / "study")
    assert f"{tmp_path / 'study' / 'first'} …" in empty.value.next_step
    with pytest.raises(PreflightError, match="there is no folder"):
        shown(tmp_path, tmp_path / "nowhere")


def test_without_the_package_that_draws_a_report_says_which_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "find_spec", lambda name: None)  # stands for an environment without it
    with pytest.raises(PreflightError, match="needs the package matplotlib") as caught:
        shown(tmp_path, tmp_path)
    assert caught.value.next_step == "pip install 'agentbench[report]', or view=terminal"
