"""Sweeps by Hydra's own launcher and by plugins, in real processes: what ran, what failed, what is told at the end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parents[2]

ENTRY = """
import os, signal, sys, time
from pathlib import Path
from agentbench import app, errors

def run(config, folder):
    match config.seed:
        case 4: os.kill(os.getpid(), signal.SIGKILL)
        case 5: raise errors.PreflightError("no server", "start one")
        case 7:
            begun = folder.parent / "begun"
            if not begun.exists():
                begun.touch()
                time.sleep(60)
    return -abs(config.concurrency - 40)

def after_sweep(jobs):
    for job in jobs:
        print(" ".join(job.overrides), job.problem or "well", sep=": ")

sys.exit(app.main(app.Entry("rollout", "Rolls.", "RolloutConfig", run, after_sweep)))
"""


SEARCH = """
# @package _global_
defaults:
  - override /hydra/sweeper: optuna
hydra:
  mode: MULTIRUN
  sweeper: {n_trials: 1, n_jobs: 1, max_failure_rate: 1.0, params: {++concurrency: "range(-2, 0)"}}
"""


def plugin(package: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(find_spec(package) is None, reason=f"{package} is an optional extra")


LAUNCHERS = [
    "basic",
    pytest.param("joblib", marks=plugin("joblib")),
    pytest.param("submitit_local", marks=plugin("submitit")),
]


class Ended(NamedTuple):
    code: int
    out: list[str]
    err: str


def ended(folder: Path, *overrides: str) -> Ended:
    (folder / "entry.py").write_text(ENTRY)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "entry.py", "hydra.sweep.dir=sweep", *overrides]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    return Ended(done.returncode, done.stdout.splitlines(), done.stderr)


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_job_that_fails_costs_its_siblings_nothing(tmp_path: Path, launcher: str) -> None:
    done = ended(tmp_path, "-m", "seed=0,5,1", f"hydra/launcher={launcher}")
    assert (done.code, done.out) == (5, ["seed=0: well", "seed=5: no server", "seed=1: well"])
    records = [json.loads((tmp_path / "sweep" / str(job) / "run.json").read_text()) for job in range(3)]
    assert [(record["sweep"], record["exit_code"]) for record in records] == [("sweep", 0), ("sweep", 5), ("sweep", 0)]


def stopped(folder: Path, *overrides: str) -> Ended:
    """A sweep that gets a Ctrl-C once the job of seed 7 has begun."""
    (folder / "entry.py").write_text(ENTRY)
    command = [sys.executable, "entry.py", "hydra.sweep.dir=sweep", *overrides]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=folder, env=environment, **pipes) as running:
        while not (folder / "sweep" / "begun").exists():
            assert running.poll() is None
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    return Ended(running.returncode, out.splitlines(), err)


def test_an_interrupted_sweep_goes_on_with_what_is_left_of_it(tmp_path: Path) -> None:
    first = stopped(tmp_path, "-m", "seed=0,7,1")
    assert first.code == 4 and first.err.splitlines()[0].startswith("error: seed=7: interrupted")
    again = "next: python -m agentbench.rollout hydra.sweep.dir=sweep -m seed=0,7,1 resume=sweep"
    assert first.err.splitlines()[1:] == [again]
    assert not (tmp_path / "sweep" / "2").exists()
    done = ended(tmp_path, "-m", "seed=0,7,1", "resume=sweep")
    assert (done.code, done.out) == (0, ["seed=0: well", "seed=7: well", "seed=1: well"]), done.err
    records = [json.loads((tmp_path / "sweep" / str(job) / "run.json").read_text()) for job in range(3)]
    assert [len(record["earlier"]) for record in records] == [0, 1, 0]  # the job of seed 7 ran twice


def test_another_sweep_is_no_continuation(tmp_path: Path) -> None:
    assert ended(tmp_path, "-m", "seed=0,1").code == 0
    done = ended(tmp_path, "-m", "seed=0,2", "resume=sweep")
    assert done.code == 2 and "resume: sweep was swept with seed=0,1" in done.err
    nowhere = ended(tmp_path, "-m", "seed=0,1", "resume=elsewhere")
    assert nowhere.code == 5 and nowhere.err.startswith("error: resume: no folder 'elsewhere'\n")


@pytest.mark.slow
@plugin("submitit")
def test_a_job_that_is_killed_is_told_and_costs_its_siblings_nothing(tmp_path: Path) -> None:
    done = ended(tmp_path, "-m", "seed=0,4,1", "hydra/launcher=submitit_local")
    assert (done.code, done.out) == (1, ["seed=0: well", "seed=4: never ended", "seed=1: well"])
    assert done.err.startswith("error: the sweep ended early: UncompletedJobError: ") and done.err.count("\n") == 2
    assert "Traceback" in (tmp_path / "sweep" / "sweep_error.txt").read_text()


@pytest.mark.slow
@plugin("joblib")
def test_a_launcher_that_loses_its_workers_still_ends_in_what_is_known(tmp_path: Path) -> None:
    done = ended(tmp_path, "-m", "seed=4,4", "hydra/launcher=joblib")
    assert done.code == 1 and "seed=4: never ended" in done.out
    assert done.err.startswith("error: the sweep ended early: TerminatedWorkerError: ") and "Traceback" not in done.err


def test_a_plugin_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    done = ended(tmp_path, "-m", "seed=0,1", "hydra/sweeper=optuna_nowhere")
    assert done.code == 2 and "pip install 'agentbench[optuna]'" in done.err.splitlines()[0]


@plugin("optuna")
def test_a_search_maximises_what_jobs_return_and_survives_those_that_fail(tmp_path: Path) -> None:
    search = ("hydra/sweeper=optuna", "hydra.sweeper.direction=maximize", "hydra.sweeper.max_failure_rate=1.0")
    sizes = ("hydra/sweeper/sampler=grid", "seed=0,5", "concurrency=10,40,90", "hydra.sweeper.n_trials=6")
    done = ended(tmp_path, "-m", *search, *sizes, "hydra.sweeper.n_jobs=3")
    assert done.code == 5 and len(done.out) == 6 and sum("no server" in line for line in done.out) == 3
    found = yaml.safe_load((tmp_path / "sweep" / "optimization_results.yaml").read_text())
    assert found["best_value"] == 0  # -|40 - 40|
    assert found["best_params"] == {"++seed": 0, "++concurrency": 40}


@plugin("optuna")
def test_values_that_a_search_should_not_have_tried_are_told(tmp_path: Path) -> None:
    mine = tmp_path / "conf" / "sweep" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text(SEARCH)
    done = ended(tmp_path, "--config-dir", "conf", "sweep=mine")
    assert done.code == 2 and "concurrency: must be greater than or equal to 1, got" in done.err
    assert len(done.out) == 1 and "concurrency: must be greater" in done.out[0]
