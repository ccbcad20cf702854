"""Every loss of every stage trains on tokens and masks."""

from __future__ import annotations

import math

import pytest

from agentbench.config.stage import DpoLoss, DpoStage, KtoLoss, KtoStage, OrpoStage, StageConfig
from agentbench.training.finetune import finetune
from agentbench.training.job import Trained, TrainJob
from tests.training.conftest import Job, preference

LOG_2 = math.log(2)


def train(job: TrainJob) -> Trained:
    return finetune(job, lambda what, step, last, figure: None)


@pytest.mark.parametrize("loss", DpoLoss)
def test_every_preference_loss_of_trl_takes_two_steps(loss: DpoLoss, make_job: Job) -> None:
    stage = DpoStage(loss=loss, batch_size=2, label_smoothing=0.1 if loss is DpoLoss.EXO_PAIR else 0.0)
    trained = train(make_job("dpo", [preference(number) for number in range(4)], stage=stage))
    assert trained.steps == 2
    assert math.isfinite(trained.loss)


@pytest.mark.parametrize(
    "stage", [KtoStage(batch_size=4), KtoStage(loss=KtoLoss.APO_ZERO_UNPAIRED, batch_size=4), OrpoStage(batch_size=2)]
)
def test_kto_and_orpo_take_two_steps(stage: StageConfig, make_job: Job) -> None:
    trained = train(make_job(stage.kind, [preference(number) for number in range(4)], stage=stage))
    assert trained.steps == 2
    assert math.isfinite(trained.loss)
