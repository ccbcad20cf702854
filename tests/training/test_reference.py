"""What is trained starts out equal to what it is compared with, whatever adapters are about."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig as PeftLora
from peft import get_peft_model

from agentbench.config.lora import Lora, LoraConfig, NoLora
from agentbench.config.model import Dtype, HfModel
from agentbench.config.stage import DpoStage, KtoStage, RefModel
from agentbench.llm.hf_load import load_hf
from agentbench.training.finetune import finetune
from agentbench.training.job import Trained, TrainJob
from tests.training.conftest import Job, preference

ROWS = [preference(number) for number in range(4)]
STAGE = DpoStage(batch_size=4, learning_rate=3e-3, warmup_ratio=0, epochs=3)
NEW, ON_TOP = Lora(rank=2, alpha=4), Lora(rank=2, alpha=4, create_new_adapter=True, rslora=True)


@pytest.fixture(scope="module")
def adapter(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter whose weights are far from zero, so that leaving it out shows."""
    folder = tmp_path_factory.mktemp("adapters") / "sft"
    model = get_peft_model(load_hf(str(base), None, Dtype.FLOAT32, "cpu"), PeftLora(r=3, target_modules="all-linear"))
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    model.save_pretrained(str(folder))
    return folder


def log_probability(model: Any, prompt: tuple[int, ...], side: tuple[int, ...], mask: tuple[int, ...]) -> float:
    """Of the tokens of a side that its mask keeps."""
    ids_BT = torch.tensor([prompt + side])
    with torch.no_grad():
        logps_TV = model(ids_BT).logits[0, :-1].log_softmax(-1)
    places = [len(prompt) + place for place, kept in enumerate(mask) if kept]
    return sum(logps_TV[place - 1, ids_BT[0, place]].item() for place in places)


def preferred(model: Any) -> list[float]:
    """Log-probability of each chosen side less that of the rejected one."""
    sides = [((row.chosen_ids, row.chosen_mask), (row.rejected_ids, row.rejected_mask)) for row in ROWS]
    return [
        log_probability(model, row.prompt_ids, *chosen) - log_probability(model, row.prompt_ids, *rejected)
        for row, (chosen, rejected) in zip(ROWS, sides, strict=True)
    ]


def loaded(path: Path, adapter: Path | None = None) -> Any:
    return load_hf(str(path), adapter, Dtype.FLOAT32, "cpu")


@pytest.fixture
def model(base: Path, adapter: Path) -> Callable[[bool], HfModel]:
    """The base model, with the adapter or without."""
    return lambda given: HfModel(path=str(base), adapter=adapter if given else None)


def train(job: TrainJob) -> Trained:
    return finetune(job, lambda what, step, last, figure: None)


SETUPS = {
    "all weights": (NoLora(), False),
    "all weights, an adapter merged in": (NoLora(), True),
    "a new adapter": (NEW, False),
    "the given adapter": (NEW, True),
    "a new adapter on the given one": (ON_TOP, True),
}


@pytest.mark.parametrize("precompute", [False, True], ids=["asked at every step", "asked beforehand"])
@pytest.mark.parametrize(("lora", "given"), SETUPS.values(), ids=SETUPS)
def test_the_first_loss_is_log_2(
    lora: LoraConfig, given: bool, precompute: bool, make_job: Job, model: Callable[[bool], HfModel]
) -> None:
    # -log sigmoid(beta ((log p - log r)(chosen) - (log p - log r)(rejected))) is -log sigmoid(0) = log 2 where p = r.
    stage = dataclasses.replace(STAGE, precompute_ref_log_probs=precompute)
    trained = train(make_job("run", ROWS, stage=stage, lora=lora, model=model(given)))
    assert trained.first_loss == pytest.approx(math.log(2), abs=1e-6)
    assert trained.loss < math.log(2) - 1e-4, "and it falls"


@pytest.mark.parametrize(("lora", "given"), SETUPS.values(), ids=SETUPS)
def test_what_is_written_is_what_was_judged(
    lora: LoraConfig, given: bool, make_job: Job, model: Callable[[bool], HfModel], base: Path
) -> None:
    start = model(given)
    job = make_job("run", ROWS, ROWS, stage=STAGE, lora=lora, model=start)
    trained = train(job)
    written = loaded(job.output) if lora == NoLora() else loaded(base, job.output)
    gains = [
        after - before for after, before in zip(preferred(written), preferred(loaded(base, start.adapter)), strict=True)
    ]
    assert trained.validation["margin"] == pytest.approx(STAGE.beta * sum(gains) / len(gains), abs=1e-4)
    assert trained.validation["margin"] > 0.01


@pytest.mark.parametrize(
    ("lora", "ref_model"), [(NEW, RefModel.BASE), (ON_TOP, RefModel.BASE), (NoLora(), RefModel.PATH)]
)
def test_another_reference_is_not_where_training_starts(
    lora: LoraConfig, ref_model: RefModel, make_job: Job, model: Callable[[bool], HfModel], base: Path
) -> None:
    # Model and reference differ by the given adapter: loss = mean over pairs of log(1 + exp(-beta * gain)).
    path = str(base) if ref_model is RefModel.PATH else None
    stage = dataclasses.replace(STAGE, ref_model=ref_model, ref_path=path)
    trained = train(make_job("run", ROWS, stage=stage, lora=lora, model=model(True)))
    gains = [
        after - before
        for after, before in zip(preferred(loaded(base, model(True).adapter)), preferred(loaded(base)), strict=True)
    ]
    by_hand = sum(math.log1p(math.exp(-stage.beta * gain)) for gain in gains) / len(gains)
    assert trained.first_loss == pytest.approx(by_hand, abs=1e-5)
    assert abs(trained.first_loss - math.log(2)) > 1e-3


def test_kto_compares_with_the_given_adapter_too(make_job: Job, model: Callable[[bool], HfModel]) -> None:
    # With model and reference equal every reward and the KL estimate are 0: loss = 1 - sigmoid(0) = 1/2 for both kinds.
    trained = train(make_job("run", ROWS, stage=KtoStage(batch_size=8), lora=NEW, model=model(True)))
    assert trained.first_loss == pytest.approx(0.5, abs=1e-6)
