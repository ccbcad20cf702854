"""Function calling from the command line: data, agents, preferences, and the notebook over what came out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentbench.episodes.summary import Summary, read_summary
from tests.end_to_end.conftest import ROOT, Run
from tests.tasks.call_rows import row, write

FEW = ("env=function_call", "tasks.limit=20")


def evaluated(run: Run, tmp_path: Path, name: str, *arguments: str) -> Summary:
    ended = run("eval", *FEW, *arguments, f"hydra.run.dir=evals/{name}")
    assert ended.code == 0, ended.err
    return read_summary(tmp_path / "evals" / name)


def wordy(server: str) -> tuple[str, ...]:
    """A model that answers in words whatever it is asked."""
    return ("model=openai", f"model.base_url={server}", "model.name=slow")


def test_the_gold_calls_are_right_on_the_embedded_questions(run: Run, tmp_path: Path) -> None:
    summary = evaluated(run, tmp_path, "gold", "expert_mode=ground_truth")
    assert summary.success.count == summary.n == 20
    assert {name: sums.mean for name, sums in summary.scores.items()} == dict.fromkeys(
        ("arguments", "format", "function", "parallel"), 1.0
    )
    assert summary.step_categories == {"gold_call": 20}


def test_a_file_in_xlams_format_is_played(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "mine.json", *map(row, range(30)))
    ended = run("rollout", "env=function_call", "env.file=mine.json", "expert_mode=ground_truth", "tasks.split=train")
    assert ended.code == 0 and "mine.json: 30 questions, 24 of train" in ended.out


def test_a_broken_row_is_one_line(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "mine.json", row(1), row(2, answers="{"))
    ended = run("rollout", "env=function_call", "env.file=mine.json", "expert_mode=ground_truth")
    assert ended.code == 5 and "error: mine.json: row 2 (id 2): 'answers' is a text that is no JSON" in ended.err


def test_nobody_is_trained_on_a_public_test(run: Run) -> None:
    ended = run("train", "env=nestful", "env.file=.")
    assert ended.code == 2 and "error: env: nestful is a public test; nothing is trained on it" in ended.err


def test_own_wrong_answers_become_pairs_with_the_gold_calls(
    run: Run, tmp_path: Path, server: str, student: Path
) -> None:
    played = run("rollout", *FEW, *wordy(server), "tasks.split=train", "hydra.run.dir=played")
    assert played.code == 0, played.err
    files = ("trajectories=[played/trajectories.jsonl]", f"tokenizer={student}")
    made = run("build_prefs", "prefs.source=gold", "agent=calls", *files, "hydra.run.dir=pairs")
    assert made.code == 0, made.err
    rows = [json.loads(line) for line in (tmp_path / "pairs" / "rows.jsonl").read_text().splitlines()]
    assert len(rows) == 20 and {row["kind"] for row in rows} == {"call_over_final"}


def test_the_notebook_runs_from_top_to_bottom(
    run: Run, tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    evaluated(run, tmp_path, "gold", "expert_mode=ground_truth", "baselines=false")
    evaluated(run, tmp_path, "wordy", *wordy(server), "baselines=false")
    monkeypatch.setenv("FUNCTION_CALL_EVALS", str(tmp_path / "evals"))
    notebook = nbformat.read(ROOT / "experiments" / "function_calls.ipynb", as_version=4)
    nbclient.NotebookClient(notebook, timeout=60, resources={"metadata": {"path": ROOT}}).execute()
    shown = "".join(output.get("text", "") for cell in notebook.cells for output in cell.get("outputs", ()))
    assert "2 runs below evals" in shown and "no_call 100.0 %" in shown


@pytest.mark.slow
def test_a_student_made_from_nothing_plays_the_questions(run: Run, tmp_path: Path) -> None:
    shape = ("model.hidden_size=32", "model.heads=2", "model.vocab_size=600", "env.train_share=0.1")
    trained = run("train", "env=function_call", *shape, "evaluate.tasks=20", "hydra.run.dir=trained", timeout_s=900)
    assert trained.code == 0, trained.err
    assert read_summary(tmp_path / "trained" / "eval").n == 20
    evaluated(run, tmp_path, "tiny", *shape)
    assert len(list((tmp_path / "outputs" / "cache" / "models").iterdir())) == 1
