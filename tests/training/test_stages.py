"""Every loss of every stage trains on tokens and masks."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from agentbench.config.stage import DpoLoss, DpoStage, KtoLoss, KtoStage, OrpoStage, StageConfig
from agentbench.config.trainer import TrainerConfig
from agentbench.training.finetune import finetune
from agentbench.training.job import Trained, TrainJob
from agentbench.training.validation import by_row
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


@pytest.mark.parametrize("stage", [DpoStage(batch_size=2), OrpoStage(batch_size=2)])
def test_each_validation_pair_counts_alike(stage: StageConfig, make_job: Job) -> None:
    # Batches of two and one: TRL's own mean over batches would count the third pair twice.
    rows = [preference(number) for number in range(3)]
    together, apart = (
        train(
            make_job(name, rows[:2], rows, stage=stage, trainer=TrainerConfig(checkpoint_every=None, micro_batch=size))
        )
        for name, size in (("together", 2), ("apart", 1))
    )
    assert together.validation["margin"] == pytest.approx(apart.validation["margin"], abs=1e-7)
    assert together.validation["accuracy"] in (0, pytest.approx(1 / 3), pytest.approx(2 / 3), 1)


def test_a_mean_over_rows_weighs_batches_by_their_rows() -> None:
    # 5 rows in batches of 2, 2 and 1: (2 * 1 + 2 * 0 + 1 * 1) / 5.
    trainer = SimpleNamespace(
        eval_dataset=range(5), args=SimpleNamespace(eval_batch_size=2), accelerator=SimpleNamespace(num_processes=1)
    )
    figures = {"accuracy": [1.0, 0.0, 1.0], "rows so far": [5.0]}
    by_row(figures, trainer)
    assert figures == {"accuracy": [pytest.approx(0.6)], "rows so far": [5.0]}
