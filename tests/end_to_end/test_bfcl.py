"""The official data through our commands, and the official program on what they write."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from agentbench.tasks.bfcl.process import OFFICIAL

from .conftest import ROOT, Run

PYTHON = ROOT / ".venv-bfcl/bin/python"
pytestmark = pytest.mark.skipif(not PYTHON.is_file(), reason="no .venv-bfcl here; make bfcl builds it")
CATEGORIES = "live_parallel,multi_turn_base,irrelevance,simple_java"


@pytest.fixture
def evaluated(run: Run, tmp_path: Path) -> Path:
    """Gold chains on eight questions."""
    chosen = (f"env.categories=[{CATEGORIES}]", f"env.python={PYTHON}", "tasks.limit=8")
    place = f"hydra.run.dir={tmp_path / 'run'}"
    done = run("eval", "eval=bfcl", *chosen, "expert_mode=ground_truth", "baselines=false", place)
    assert done.code == 0, done.err
    assert "live_parallel" in done.out and "100.0 %" in done.out
    return tmp_path / "run"


def official_scores(folder: Path) -> dict[str, float]:
    """What `bfcl evaluate` writes about the result files of a run."""
    scores = folder / "score"
    command = [str(PYTHON), "-I", str(OFFICIAL), "cli", "evaluate", "--model", "Qwen/Qwen3-8B-FC", "--partial-eval"]
    command += ["--test-category", CATEGORIES, "--result-dir", str(folder / "bfcl"), "--score-dir", str(scores)]
    subprocess.run(command, check=True, capture_output=True, timeout=100)
    heads = {path: json.loads(path.read_text().splitlines()[0]) for path in scores.rglob("*_score.json")}
    return {path.stem.removeprefix("BFCL_v4_").removesuffix("_score"): head["accuracy"] for path, head in heads.items()}


def test_the_official_program_gives_the_scores_that_we_give(evaluated: Path) -> None:
    ours: dict[str, list[float]] = {}
    for line in (evaluated / "trajectories.jsonl").read_text().splitlines():
        episode = json.loads(line)
        score = next(each["value"] for each in episode["scores"] if each["name"] == "answer")
        ours.setdefault(episode["task"]["domain"], []).append(score)
    assert official_scores(evaluated) == {name: sum(values) / len(values) for name, values in ours.items()}
    assert sum(map(len, ours.values())) == 8


@pytest.mark.parametrize(
    ("category", "problem"),
    [("simple", "is called simple_python, simple_java and simple_javascript today"), ("rest", "is not part of BFCL")],
)
def test_an_old_name_of_a_category_is_told_the_new_one(run: Run, category: str, problem: str) -> None:
    done = run("eval", "eval=bfcl", f"env.categories=[{category}]")
    assert done.code == 2 and problem in done.err


def test_nothing_is_trained_on_the_questions(run: Run) -> None:
    done = run("train", "env=bfcl", "stage=grpo", "model.path=somewhere")
    assert done.code == 2 and "bfcl is a public test" in done.err
