"""A reference that moves towards the model, also across an interruption."""

from __future__ import annotations

import dataclasses
import math
import shutil

import pytest
from safetensors.torch import load_file

from agentbench.config.stage import DpoStage, KtoStage, StageConfig
from agentbench.config.trainer import BestBy, TrainerConfig
from agentbench.training.finetune import finetune
from agentbench.training.job import TRAINER, Trained, TrainJob
from tests.training.conftest import Job, preference

ROWS = [preference(number) for number in range(4)]
STAGE = DpoStage(batch_size=4, learning_rate=1e-2, warmup_ratio=0, epochs=4, sync_ref_every=1, sync_ref_share=1.0)
TRAINER_CONFIG = TrainerConfig(checkpoint_every=2, best_by=BestBy.LAST)


def train(job: TrainJob) -> Trained:
    return finetune(job, lambda what, step, last, figure: None)


def test_a_reference_that_becomes_the_model_at_every_step_leaves_the_loss_at_log_2(make_job: Job) -> None:
    # Model and reference are equal whenever a loss is computed: -log sigmoid(0) = log 2, at every step.
    trained = train(make_job("moving", ROWS, stage=STAGE))
    assert trained.loss == pytest.approx(math.log(2), abs=1e-6)
    still = train(make_job("still", ROWS, stage=dataclasses.replace(STAGE, sync_ref_every=None)))
    assert still.loss < math.log(2) - 1e-2


def test_kto_s_reference_moves_too(make_job: Job) -> None:
    # Rewards and the KL term are 0 whenever a loss is computed: 1 - sigmoid(0) = 1/2.
    stage = KtoStage(batch_size=8, learning_rate=1e-2, warmup_ratio=0, epochs=4, sync_ref_every=1, sync_ref_share=1.0)
    assert train(make_job("moving", ROWS, stage=stage)).loss == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("stage", [dataclasses.replace(STAGE, sync_ref_share=0.5)])
def test_a_training_that_was_stopped_goes_on_against_the_moved_reference(stage: StageConfig, make_job: Job) -> None:
    whole, stopped = (make_job(name, ROWS, stage=stage, trainer=TRAINER_CONFIG) for name in ("whole", "stopped"))
    expected = train(whole)
    train(stopped)
    shutil.rmtree(stopped.folder / TRAINER / "checkpoint-4")  # as if it had been stopped after the second step
    assert train(stopped).loss == pytest.approx(expected.loss, abs=1e-7)
    ours, theirs = (load_file(job.output / "model.safetensors") for job in (stopped, whole))
    assert all(ours[name].equal(theirs[name]) for name in theirs)
