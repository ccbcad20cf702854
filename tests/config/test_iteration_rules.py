"""What the rounds of an expert iteration refuse."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import TrainConfig
from agentbench.errors import ConfigError


def loaded(*overrides: str) -> TrainConfig:
    config = check("train", TrainConfig, read_command_line(overrides)).config
    assert isinstance(config, TrainConfig)
    return config


REFUSED = {
    "rows: the rounds of iteration make their own; leave rows away": ("rows=[a.jsonl]",),
    "iteration.prefs.kind: stage=dpo needs step or trajectory, got sft": ("iteration.prefs.kind=sft",),
    "expert_mode: human needs the terminal, which the rounds of iteration do not have": (
        *("expert_mode=human", "expert_mode.save_alternate_trace=false"),
    ),
    "expert_mode.save_alternate_trace: step preferences need what the other actor would have done": (
        "expert_mode.save_alternate_trace=false",
    ),
    "iteration.samples: trajectory preferences need two episodes of a task or more": (
        "iteration.prefs.kind=trajectory",
    ),
    "tasks.split: test would be trained on; choose train": ("tasks.split=test",),
    "evaluate.split: train is what the rounds train on; choose another": ("evaluate.split=train",),
}


@pytest.mark.parametrize(("line", "overrides"), REFUSED.items(), ids=[line.split(":")[0] for line in REFUSED])
def test_a_contradiction_is_one_line(line: str, overrides: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded("experiment=expert_iteration", *overrides)
    assert caught.value.problems == (line,)


def test_a_stage_that_plays_has_no_rounds() -> None:
    with pytest.raises(ConfigError, match=r"^stage: ppo plays its own episodes; rounds of iteration need sft, dpo"):
        loaded("stage=ppo", "iteration.rounds=1", "expert_mode=random", "expert_mode.save_alternate_trace=true")


def test_without_rounds_a_preference_stage_still_needs_rows() -> None:
    with pytest.raises(ConfigError, match=r"^rows: required with stage=dpo"):
        loaded("stage=dpo")


def test_the_other_experiment_learns_from_corrected_episodes_of_all_rounds() -> None:
    iteration = loaded("experiment=dagger").iteration
    assert iteration is not None and iteration.aggregate and iteration.prefs.kind == "sft"
