"""The card beside trained weights says what they are, not what was asked for."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agentbench.config.lora import Lora, LoraConfig, NoLora
from agentbench.config.model import HfModel
from agentbench.config.stage import SftStage
from agentbench.config.trainer import ModelExport
from agentbench.training.finetune import finetune
from agentbench.training.job import TrainJob
from tests.training.conftest import Job, supervised

ROWS = [supervised(number) for number in range(4)]
STAGE = SftStage(batch_size=4, epochs=1)


def card(job: TrainJob, folder: str) -> list[str]:
    """Its lines, once the job is done."""
    finetune(job, lambda what, step, last, figure: None)
    return (job.folder / folder / "README.md").read_text(encoding="utf-8").splitlines()


def test_an_adapter_that_is_trained_further_has_its_own_rank(make_job: Job) -> None:
    first = make_job("first", ROWS, stage=STAGE, lora=Lora(rank=2, alpha=6, targets=("v_proj", "q_proj")))
    card(first, "adapter")
    given = dataclasses.replace(first.model, adapter=first.output)
    lines = card(make_job("second", ROWS, stage=STAGE, lora=Lora(rank=16), model=given), "adapter")
    shape = ["| lora.rank | 2 |", "| lora.alpha | 6.0 |", "| lora.targets | q_proj, v_proj |"]
    assert [line for line in lines if line.startswith(("| lora.rank", "| lora.alpha", "| lora.targets"))] == shape
    assert f"| model.adapter | {first.output} |" in lines


@pytest.mark.parametrize(
    ("lora", "export", "folder", "kind"),
    [
        (NoLora(), ModelExport.TRAINED, "model", "transformers"),
        (Lora(rank=2), ModelExport.TRAINED, "adapter", "peft"),
        (Lora(rank=2), ModelExport.MERGED, "model", "transformers"),
    ],
)
def test_each_folder_of_weights_has_a_card(
    lora: LoraConfig, export: ModelExport, folder: str, kind: str, make_job: Job, base: Path
) -> None:
    job = make_job("run", ROWS, stage=STAGE, lora=lora, export=export, model=HfModel(path=str(base)))
    lines = card(job, folder)
    assert f"base_model: {str(base)!r}" in lines and f"library_name: {kind}" in lines
    # Each row has 3 tokens of prompt and 7 of the chosen side, of which 3 carry the loss: 3 of 10.
    assert "4 rows, 0 left out. 30.0% of their tokens, all the" in lines
    assert "| steps | 1 |" in lines
