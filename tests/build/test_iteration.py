"""Which runs the rounds of an expert iteration are made of, and with what."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.app.spelled import spelled
from agentbench.build.iteration import Round, plan
from agentbench.config.entry import EvalConfig, RolloutConfig, TrainConfig
from agentbench.config.model import HfModel, TinyModel


def planned(*overrides: str) -> list[Round]:
    line = read_command_line(("model.path=some/student", "iteration.rounds=2", *overrides))
    config = check("train", TrainConfig, line).config
    assert isinstance(config, TrainConfig) and config.iteration is not None
    return list(plan(config, config.iteration, Path("out")))


def training(each: Round) -> TrainConfig:
    (found,) = (link.config for link in each.links if isinstance(link.config, TrainConfig))
    return found


def test_every_round_begins_with_the_model_of_the_one_before() -> None:
    before, first, second = planned("experiment=expert_iteration")
    assert [link.name for link in second.links] == [f"round 2, {run}" for run in ("rollout", "prefs", "train", "eval")]
    assert [link.entry for link in before.links] == ["eval"]
    assert training(first).model == TinyModel(path=Path("some/student"))
    assert training(second).model == TinyModel(path=Path("out/round_1/train/model")) == first.model
    assert training(second).rows == (Path("out/round_2/prefs/rows.jsonl"),)


def test_an_adapter_is_gone_on_with_on_the_same_base() -> None:
    _, first, second = planned("experiment=expert_iteration", "lora=lora")
    assert isinstance(first.model, HfModel) and first.model.path == "some/student"
    assert training(second).model == first.model
    assert isinstance(second.model, HfModel) and second.model.adapter == Path("out/round_2/train/adapter")
    assert all(spelled(link.entry, link.config) for link in second.links)


def test_rows_of_earlier_rounds_are_added_where_that_is_asked_for() -> None:
    *_, second = planned("experiment=dagger")
    assert training(second).rows == (Path("out/round_1/prefs/rows.jsonl"), Path("out/round_2/prefs/rows.jsonl"))


def test_students_are_held_out_alone_and_not_at_all_if_not_asked_for() -> None:
    *_, second = planned("experiment=expert_iteration")
    (alone,) = (link.config for link in second.links if isinstance(link.config, EvalConfig))
    assert (alone.expert_mode.kind, alone.tasks.limit, alone.tasks.split) == ("none", 200, "validation")
    before, first, _ = planned("experiment=expert_iteration", "evaluate.tasks=null")
    assert not before.links and first.links[-1].entry == "train"


def test_the_expert_of_the_rounds_is_the_configured_one() -> None:
    *_, second = planned("experiment=expert_iteration", "expert_mode=random", "expert_mode.probability=0.25")
    rollout = second.links[0].config
    assert isinstance(rollout, RolloutConfig) and rollout.tasks.file == Path("out/round_2/tasks.jsonl")
    assert dataclasses.asdict(rollout.expert_mode) == {
        "kind": "random",
        "probability": 0.25,
        "budget": None,
        "save_alternate_trace": True,
    }
