"""Attacks and defences that an environment or a stage has no use for are refused, with what to do instead."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.errors import ConfigError

REFUSED = {
    "no results to plant into": (("env=function_call", "env.injection.kinds=[call_tool]"), "env.injection: env="),
    "nothing to choose among": (
        ("env=playground", "env.injection.defence=enforcement"),
        "env.injection.defence: enforcement needs API tools",
    ),
    "a kind twice": (
        ("env.injection.kinds=[call_tool,call_tool]",),
        "env.injection.kinds: names a kind more than once",
    ),
    "no such kind": (("env.injection.kinds=[flattery]",), "env.injection.kinds.0"),
    "a rate that is no share": (("env.injection.rate=2",), "env.injection.rate"),
    "no tool allowed": (("env.injection.allowed_tools=0",), "env.injection.allowed_tools"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_rollout_is_refused_with(case: str) -> None:
    words, expected = REFUSED[case]
    with pytest.raises(ConfigError) as caught:
        check("rollout", RolloutConfig, read_command_line(words))
    assert any(problem.startswith(expected) for problem in caught.value.problems), caught.value.problems


def test_a_stage_that_plays_cannot_train_on_results_it_was_not_shown() -> None:
    words = ("stage=grpo", "model=hf", "model.path=x", "template=tiny", "env.injection.defence=datamarking")
    with pytest.raises(ConfigError, match="stage=grpo trains on results as they were recorded"):
        check("train", TrainConfig, read_command_line(words))


@pytest.mark.parametrize("defence", ["none", "delimiting", "datamarking", "encoding", "enforcement"])
def test_every_defence_can_be_rolled_out_without_an_attack(defence: str) -> None:
    config = check("rollout", RolloutConfig, read_command_line([f"env.injection.defence={defence}"])).config
    assert config.env.injection.defence == defence and config.env.injection.kinds == ()
