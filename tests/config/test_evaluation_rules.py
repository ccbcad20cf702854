"""Evaluations that could not say what they seem to say."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import EvalConfig
from agentbench.errors import ConfigError

SERVED = ("model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some")


def loaded(*overrides: str) -> EvalConfig:
    return check("eval", EvalConfig, read_command_line(overrides)).config


def test_greedy_samples_of_a_model_in_this_process_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"^samples: 4 episodes of a task would be the same one"):
        loaded("samples=4")


@pytest.mark.parametrize("chance", [("agent.temperature=1",), ("expert_mode=random",), SERVED])
def test_samples_that_can_differ_are_not(chance: tuple[str, ...]) -> None:
    assert loaded("samples=4", *chance).samples == 4


def test_labels_need_a_judge_and_regrade_stands_alone(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(f"labels={tmp_path}", "regrade=a", "predictions=b")
    assert {line.split(":")[0] for line in caught.value.problems} == {"labels", "predictions"}
