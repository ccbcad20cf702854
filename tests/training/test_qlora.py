"""An adapter over weights in 4 bits; runs where bitsandbytes is installed."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentbench.config.lora import Qlora
from agentbench.config.model import Dtype
from agentbench.config.stage import DpoStage, SftStage, StageConfig
from agentbench.config.trainer import BestBy, ModelExport, TrainerConfig
from agentbench.llm.hf_load import load_hf
from agentbench.training.finetune import finetune
from tests.training.conftest import Job, preference, supervised

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is an optional extra"),
]


@pytest.mark.parametrize("stage", [SftStage(batch_size=2), DpoStage(batch_size=2, learning_rate=1e-2)])
def test_an_adapter_learns_over_weights_in_4_bits(stage: StageConfig, make_job: Job, base: Path) -> None:
    make = supervised if isinstance(stage, SftStage) else preference
    rows = [make(number) for number in range(6)]
    job = make_job("qlora", rows, stage=stage, lora=Qlora(rank=4), export=ModelExport.MERGED)
    trained = finetune(job, lambda what, step, last, figure: None)
    assert math.isfinite(trained.loss)
    assert trained.loss < trained.first_loss
    assert load_hf(str(base), job.output, Dtype.FLOAT32, "cpu").config.vocab_size > 0
    assert load_hf(str(job.folder / "model"), None, Dtype.FLOAT32, "cpu").dtype.itemsize == 4


def test_validation_on_the_way_changes_nothing_of_what_is_learnt(make_job: Job) -> None:
    # Once bitsandbytes has rearranged weights for a CPU, a layer passes no gradient on: later losses would differ.
    settings = {"stage": DpoStage(batch_size=2, learning_rate=1e-2, epochs=2), "lora": Qlora(rank=4)}
    rows, held_out = [preference(number) for number in range(6)], [preference(7), preference(8)]
    judging = TrainerConfig(checkpoint_every=1, best_by=BestBy.LAST)
    jobs = (make_job("alone", rows, **settings), make_job("judged", rows, held_out, trainer=judging, **settings))
    alone, judged = (finetune(job, lambda what, step, last, figure: None) for job in jobs)
    assert judged.validation.keys() == {"loss", "accuracy", "margin"}
    assert judged.loss == alone.loss < alone.first_loss
