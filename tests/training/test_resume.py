"""A training that was killed goes on as if nothing had happened."""

from __future__ import annotations

import dataclasses
import resource
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest
import torch
from safetensors.torch import load_file

from agentbench.config.launcher import AccelerateLauncher, FsdpLauncher, LauncherConfig
from agentbench.config.lora import Lora, LoraConfig, NoLora
from agentbench.config.stage import DpoStage, KtoStage, OrpoStage, SftStage, StageConfig
from agentbench.config.trainer import BestBy, TrainerConfig
from agentbench.errors import DataError, PreflightError
from agentbench.training.finetune import finetune, last_checkpoint
from agentbench.training.job import PACKING_LOG, TRAINER, Trained, TrainJob
from agentbench.training.launch import launch
from tests.training.conftest import Job, branching, chosen_steps, preference

ROWS = [preference(number) for number in range(12)]
SETTINGS = {
    "stage": DpoStage(batch_size=2, epochs=5, learning_rate=1e-2),
    "lora": Lora(rank=2, alpha=4),
    "trainer": TrainerConfig(checkpoint_every=4, best_by=BestBy.LAST),
}
"""30 steps of 2 of 12 pairs, in an order that is drawn anew each epoch."""


def train(job: TrainJob) -> Trained:
    return finetune(job, lambda what, step, last, figure: None)


def killed_after_a_checkpoint(job: TrainJob, program: str = "resume_child.py") -> None:
    """Runs the job in a process of its own and kills it with -9 once a checkpoint is whole."""
    child = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(program))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    with child.stdin:
        child.stdin.write(job.to_json())
    while last_checkpoint(job.folder / TRAINER) is None and child.poll() is None:
        time.sleep(0.005)
    child.kill()
    child.wait()


def adapters(*jobs: TrainJob) -> list[dict[str, torch.Tensor]]:
    return [load_file(job.output / "adapter_model.safetensors") for job in jobs]


@pytest.mark.slow
def test_killed_and_gone_on_with_ends_where_an_uninterrupted_training_does(make_job: Job) -> None:
    whole, killed = make_job("whole", ROWS, **SETTINGS), make_job("killed", ROWS, **SETTINGS)
    expected = train(whole)
    killed_after_a_checkpoint(killed)
    assert not killed.output.exists(), "it was killed before the end"
    assert train(killed).loss == expected.loss
    ours, theirs = adapters(killed, whole)
    assert all(ours[name].equal(theirs[name]) for name in theirs), "bit for bit"
    lines = [(job.folder / "metrics.jsonl").read_bytes().splitlines() for job in (killed, whole)]
    steps = [[orjson.loads(line)["step"] for line in logged] for logged in lines]
    assert steps[0] == steps[1]


SHARED = branching(4, 6)
"""24 pairs that share most of their tokens."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "stage",
    [
        SftStage(batch_size=12, epochs=12),
        DpoStage(batch_size=4, epochs=5),
        KtoStage(batch_size=8, epochs=4),
        OrpoStage(batch_size=4, epochs=5),
    ],
    ids=lambda stage: stage.kind,
)
def test_every_stage_survives_being_killed(stage: StageConfig, make_job: Job) -> None:
    stage = dataclasses.replace(stage, learning_rate=1e-2)
    rows = chosen_steps(SHARED) if isinstance(stage, SftStage) else SHARED
    whole, killed = (make_job(name, rows, **{**SETTINGS, "stage": stage}) for name in ("whole", "killed"))
    expected = train(whole)
    killed_after_a_checkpoint(killed)
    assert not killed.output.exists(), "it was killed before the end"
    assert train(killed).loss == expected.loss
    ours, theirs = adapters(killed, whole)
    assert all(ours[name].equal(theirs[name]) for name in theirs), "bit for bit"
    packed = "tree packing on: " in (killed.folder / PACKING_LOG).read_text()
    assert packed is not isinstance(stage, OrpoStage)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", [AccelerateLauncher(), FsdpLauncher()], ids=lambda launcher: launcher.kind)
def test_ranks_survive_being_killed(launcher: LauncherConfig, make_job: Job) -> None:
    settings = {**SETTINGS, "stage": DpoStage(batch_size=4, epochs=16, learning_rate=1e-2), "launcher": launcher}
    whole, killed = (make_job(name, SHARED, **settings) for name in ("whole", "killed"))
    expected = launch(whole)
    killed_after_a_checkpoint(killed, "launch_child.py")
    assert not killed.output.exists(), "it was killed before the end"
    assert launch(killed).loss == pytest.approx(expected.loss, abs=1e-6)


@pytest.mark.parametrize("given", [False, True], ids=["new adapter", "given adapter"])
def test_a_checkpoint_holds_the_adapter_that_is_trained(given: bool, make_job: Job, base: Path) -> None:
    settings = dict(SETTINGS)
    if given:
        first = make_job("first", ROWS, **SETTINGS)
        train(first)
        settings["model"] = dataclasses.replace(first.model, adapter=first.output)
    job = make_job("run", ROWS, **settings)
    expected = train(job)
    for path in (job.folder / TRAINER).glob("checkpoint-30"):
        (path / "complete").unlink()
    assert last_checkpoint(job.folder / TRAINER) == job.folder / TRAINER / "checkpoint-28"
    assert train(job).loss == expected.loss


def test_a_training_killed_after_its_last_step_logs_its_end_once(make_job: Job) -> None:
    job = make_job("late", ROWS, **{**SETTINGS, "stage": DpoStage(batch_size=6, epochs=1)})
    for _ in range(2):  # the second goes on from the checkpoint of the last step
        train(job)
        lines = [orjson.loads(line) for line in (job.folder / "metrics.jsonl").read_bytes().splitlines()]
        assert [line["step"] for line in lines] == [1, 2, 2]  # 12 rows, 6 a step; the end is a line of its own
        assert ["train_runtime" in line for line in lines] == [False, False, True]


def test_a_broken_line_of_figures_is_named(make_job: Job) -> None:
    job = make_job("broken", ROWS, **{**SETTINGS, "stage": DpoStage(batch_size=6, epochs=1)})
    train(job)
    path = job.folder / "metrics.jsonl"
    path.write_bytes(b"\xff\x00\n" + path.read_bytes())
    with pytest.raises(DataError, match=r"metrics.jsonl, line 1: not a line of figures"):
        train(job)


@pytest.mark.parametrize("lora", [Lora(rank=2, alpha=4), NoLora()])
def test_weights_that_cannot_be_written_are_one_line_and_the_training_goes_on_later(
    lora: LoraConfig, make_job: Job
) -> None:
    job = make_job("full", ROWS, **{**SETTINGS, "lora": lora})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (15_000, before[1]))  # no file may be larger, as on a full disk
    try:
        with pytest.raises(PreflightError, match=r"^cannot write weights into "):
            train(job)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert train(job).steps == 30
