"""Which model plays once a training is over."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.trained import trained_model
from agentbench.config.entry import TrainConfig
from agentbench.config.model import Dtype, HfModel
from agentbench.config.tasks import Split


def config(*overrides: str) -> TrainConfig:
    return check("train", TrainConfig, read_command_line(["rows=[some.jsonl]", *overrides])).config


def test_an_adapter_plays_on_the_model_it_was_trained_on() -> None:
    given = config("model=hf", "model.path=base", "model.adapter=earlier", "lora=lora", "model.max_batch=7")
    assert trained_model(given, Path("run"), print) == HfModel(path="base", adapter=Path("run/adapter"), max_batch=7)


def test_a_model_that_was_trained_whole_plays_without_the_adapter_it_began_with() -> None:
    given = config("model=hf", "model.path=base", "model.adapter=earlier")
    assert trained_model(given, Path("run"), print) == HfModel(path="run/model")


def test_a_tiny_student_plays_with_the_digits_it_always_plays_with() -> None:
    found = trained_model(config("model.path=student", "lora=lora"), Path("run"), print)
    assert (found.path, found.adapter, found.dtype) == ("student", Path("run/adapter"), Dtype.FLOAT64)


@pytest.mark.parametrize("sweep", ["lora_rank", "dpo_beta"])
def test_a_sweep_lets_every_result_play_tasks_that_are_not_the_test_s(sweep: str) -> None:
    evaluate = config(f"sweep={sweep}", "model=hf", "model.path=base").evaluate
    assert dataclasses.astuple(evaluate)[:2] == (100, Split.VALIDATION)
