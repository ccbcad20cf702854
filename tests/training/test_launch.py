"""Ranks find each other, agree with a single process, and end together."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from safetensors.torch import load_file

from agentbench.config.launcher import (
    AccelerateLauncher,
    DeepspeedZero2Launcher,
    DeepspeedZero3Launcher,
    FsdpLauncher,
    LauncherConfig,
    SingleLauncher,
)
from agentbench.config.lora import Lora
from agentbench.config.stage import DpoStage, KtoStage
from agentbench.errors import PreflightError
from agentbench.training.finetune import finetune
from agentbench.training.job import METRICS_LOG, TrainJob, read_job
from agentbench.training.launch import launch
from tests.training.conftest import Job, preference

ROWS = [preference(number) for number in range(8)]
STAGE = DpoStage(batch_size=4, epochs=3, learning_rate=1e-2)
SETTINGS = {"stage": STAGE, "lora": Lora(rank=2, alpha=4)}
"""6 steps of 4 pairs."""


def test_a_job_comes_back_from_json(make_job: Job) -> None:
    job = make_job("job", ROWS, launcher=AccelerateLauncher(processes=2), **SETTINGS)
    assert read_job(job.to_json()) == job


NEEDS_DEEPSPEED = pytest.mark.skipif(find_spec("deepspeed") is None, reason="deepspeed is an optional extra")
LAUNCHERS = [
    AccelerateLauncher(),
    pytest.param(DeepspeedZero2Launcher(), marks=NEEDS_DEEPSPEED),
    pytest.param(DeepspeedZero3Launcher(), marks=NEEDS_DEEPSPEED),
    FsdpLauncher(),
]


@pytest.mark.slow
@pytest.mark.parametrize("launcher", LAUNCHERS, ids=lambda launcher: launcher.kind)
def test_two_processes_train_what_one_does(
    launcher: LauncherConfig, make_job: Job, capfd: pytest.CaptureFixture[str]
) -> None:
    one, two = make_job("one", ROWS, **SETTINGS), make_job("two", ROWS, launcher=launcher, **SETTINGS)
    alone, together = finetune(one, lambda what, step, last, figure: None), launch(two)
    assert together.loss == pytest.approx(alone.loss, abs=1e-6)
    ours, theirs = (load_file(job.output / "adapter_model.safetensors") for job in (two, one))
    assert max((ours[name] - theirs[name]).abs().max().item() for name in theirs) < 1e-5
    assert "dpo (loss): step 6 of 6" in capfd.readouterr().out


@pytest.mark.slow
def test_two_processes_estimate_kto_s_divergence_as_one_does(make_job: Job) -> None:
    # Each row's completion for the KL term comes from the batch that all processes compute together.
    settings = {"stage": KtoStage(batch_size=8, learning_rate=1e-2), "lora": Lora(rank=2, alpha=4)}
    one, two = (
        make_job(launcher.kind, ROWS, launcher=launcher, **settings)
        for launcher in (SingleLauncher(), AccelerateLauncher())
    )
    alone, together = finetune(one, lambda what, step, last, figure: None), launch(two)
    assert together.steps == alone.steps == 2
    assert together.loss == pytest.approx(alone.loss, abs=1e-6)


@pytest.mark.slow
def test_a_rank_s_failure_is_one_line_and_ends_the_others(make_job: Job) -> None:
    job = make_job("failing", ROWS, launcher=AccelerateLauncher(), **SETTINGS)
    (job.folder / "data" / "train" / "audit.json").unlink()
    with pytest.raises(PreflightError, match=r"^no table of rows in .*/data/train$"):
        launch(job)


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_ranks_end_with_the_process_that_started_them(how: signal.Signals, make_job: Job) -> None:
    stage = dataclasses.replace(STAGE, epochs=10_000)
    job = make_job("long", ROWS, stage=stage, launcher=AccelerateLauncher())
    parent = subprocess.Popen([sys.executable, str(Path(__file__).with_name("launch_child.py"))], stdin=subprocess.PIPE)
    started(parent, job)
    ranks = children(parent.pid)
    assert len(ranks) == 2
    parent.send_signal(how)
    parent.wait(30)
    assert not still_there(ranks)


def started(parent: subprocess.Popen[bytes], job: TrainJob) -> None:
    """Hands over the job and waits for its first step."""
    assert parent.stdin is not None
    with parent.stdin:
        parent.stdin.write(job.to_json())
    while not (job.folder / METRICS_LOG).is_file() and parent.poll() is None:
        time.sleep(0.1)


def children(parent: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def still_there(processes: list[int], limit_s: float = 20.0) -> list[int]:
    """Those that run after some time of grace; the dead that nobody has asked after do not count."""
    end = time.monotonic() + limit_s
    while time.monotonic() < end and any(running(process) for process in processes):
        time.sleep(0.1)
    return [process for process in processes if running(process)]


def running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
