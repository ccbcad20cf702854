from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.app.check import Plan, check
from agentbench.app.command_line import read_command_line
from agentbench.config.entry import EvalConfig, RolloutConfig, ServeConfig
from agentbench.errors import ConfigError


def plan(*arguments: str) -> Plan:
    return check("rollout", RolloutConfig, read_command_line(arguments))


def problems(*arguments: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        plan(*arguments)
    return caught.value.problems


def test_problems_of_every_kind_come_together() -> None:
    found = problems("expert_mode=informd", "agent.temprature=1", "expert_mode.recent_limit=0", "oops", "~nothing")
    assert found == (
        "expert_mode: 'informd' is none of disagreement, ground_truth, human, informed, judge, none, random, "
        "did you mean 'informed'?",
        "oops: not an override; write key=value",
        "~nothing: Could not delete from config. 'nothing' does not exist.",
        "agent.temprature: unknown key, did you mean 'agent.temperature'?",
        "expert_mode.recent_limit: must be greater than or equal to 1, got 0",
    )


def test_what_is_below_an_unknown_choice_is_not_judged() -> None:
    assert [line.split(":")[0] for line in problems("expert_mode=zzz", "expert_mode.recent_limit=1")] == ["expert_mode"]


def test_several_values_need_the_flag_for_several_runs() -> None:
    assert problems("seed=0,1") == (
        "seed: several values (0,1); add -m for one run each, or write a list as seed=[0,1]",
    )
    assert plan("seed=0,1", "-m").sweep and plan("seed=0,1", "hydra.mode=MULTIRUN").sweep


def test_all_runs_of_a_sweep_are_judged_beforehand() -> None:
    found = problems("-m", "env.horizon=1,0", "model=tiny,hf", "expert_mode=none,random")
    assert found == (
        "model.path: required, e.g. model.path=…",
        "env.horizon: must be greater than or equal to 1, got 0",
    )


def test_a_run_and_a_sweep_have_folders_of_their_own() -> None:
    assert plan().folder.match("outputs/rollout/20??-??-??_??-??-??")
    assert plan("-m", "seed=1,2").folder.match("outputs/rollout/sweep_20??-??-??_??-??-??")


def test_options_of_the_user_s_own_folder_can_be_chosen(tmp_path: Path) -> None:
    folder = tmp_path / "it's mine" / "agent"
    folder.mkdir(parents=True)
    (folder / "brief.yaml").write_text("kind: chat\nmax_tokens: 7\n")
    (folder / "broken.yaml").write_text("kind: chat\nmax_tokens: [7\n")
    config_dir = ("--config-dir", str(folder.parent))
    assert plan(*config_dir, "agent=brief").config.agent.max_tokens == 7
    assert problems(*config_dir, "agent=broken")[0].startswith("agent=broken: while parsing a flow sequence")


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--fast",), "unrecognized arguments: --fast"),
        (("--cfg", "jobs"), "argument --cfg/-c: invalid choice: 'jobs'"),
        (("--config-dir", "nowhere"), "--config-dir: no folder 'nowhere'"),
    ],
)
def test_a_wrong_flag_is_told_in_one_line(arguments: tuple[str, ...], problem: str) -> None:
    (found,) = problems(*arguments)
    assert found.startswith(problem)


@pytest.mark.parametrize("option", ["function_call", "mine"])
def test_an_option_that_chooses_what_an_entry_point_has_none_of_is_not_for_it(tmp_path: Path, option: str) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    (folder / "mine.yaml").write_text("defaults:\n  - playground\nhorizon: 3\n")
    line = read_command_line([f"env={option}", "--config-dir", str(tmp_path)])
    with pytest.raises(ConfigError) as caught:
        check("serve", ServeConfig, line)
    assert caught.value.problems == (f"env: '{option}' is for other entry points; here there are m3, mcp",)
    assert check("eval", EvalConfig, line).config.env.kind in ("function_call", "playground")
