"""Assistants and planners that could not work as they are configured."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.config.agent import EndpointModel, PlannerAgent
from agentbench.config.entry import BuildPrefsConfig, DoctorConfig, RolloutConfig, TrainConfig
from agentbench.config.env_assistant import AssistantEnv
from agentbench.config.model import Price
from agentbench.errors import ConfigError

SERVER = "endpoint.base_url=http://127.0.0.1:1/v1"
JUDGE = ("judge=llm", f"judge.{SERVER}", "judge.endpoint.name=some")
ASSISTANT = ("env=assistant", "tasks.file=some.jsonl", *JUDGE)
SIMULATOR = (f"env.simulator.{SERVER}", "env.simulator.endpoint.name=some")


def loaded(*overrides: str) -> RolloutConfig:
    return check("rollout", RolloutConfig, read_command_line(overrides)).config


def refused(*overrides: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(*overrides)
    return list(caught.value.problems)


def test_an_assistant_brings_the_planner_and_ratings_and_ten_steps() -> None:
    config = loaded(*ASSISTANT)
    assert isinstance(config.agent, PlannerAgent) and config.scorer.kind == "rating"
    assert isinstance(config.env, AssistantEnv) and config.env.horizon == 10


def test_requests_and_a_judge_are_asked_for_at_once() -> None:
    assert [line.split(":")[0] for line in refused("env=assistant")] == ["tasks.file", "judge"]


@pytest.mark.parametrize(
    ("overrides", "key"),
    [
        (("env.tools=[search_web]",), "env.web.url"),
        (("env.tools=[search_encyclopedia]",), "env.encyclopedia.folder"),
        (("env.simulated=[calculator]",), "env.simulator"),
        (("env.simulated=[search_web]", *SIMULATOR), "env.simulated"),
        (("env.simulator.no_answer=0.7", "env.simulator.partial_answer=0.7", *SIMULATOR), "env.simulator"),
    ],
)
def test_every_tool_has_what_it_works_with(overrides: tuple[str, ...], key: str) -> None:
    (problem,) = refused(*ASSISTANT, *overrides)
    assert problem.startswith(f"{key}: ")


def test_a_simulated_tool_needs_nothing_but_its_simulator() -> None:
    config = loaded(*ASSISTANT, "env.tools=[search_web]", "env.simulated=[search_web]", *SIMULATOR)
    assert isinstance(config.env, AssistantEnv) and config.env.web is None


def test_a_direct_tool_has_no_specialist() -> None:
    both = ("agent.direct=[ask_user]", f"agent.specialists.ask_user.{SERVER.removeprefix('endpoint.')}")
    (problem,) = refused("agent=planner", *both, "agent.specialists.ask_user.name=some")
    assert problem.startswith("agent.direct: ask_user has a specialist")


def test_another_caller_has_its_own_price() -> None:
    caller = ("agent.caller.kind=endpoint", f"agent.caller.{SERVER}", "agent.caller.endpoint.name=some")
    config = loaded("agent=planner", *caller, "agent.caller.endpoint.price.prompt=2")
    assert isinstance(config.agent, PlannerAgent) and isinstance(config.agent.caller, EndpointModel)
    assert config.prices["caller"] == Price(prompt=2)


def test_stages_that_play_train_agents_of_one_completion() -> None:
    line = read_command_line(["agent=planner", "stage=grpo"])
    with pytest.raises(ConfigError, match="agent: stage=grpo trains agents of one completion per step"):
        check("train", TrainConfig, line)


@pytest.mark.parametrize(("entry", "schema"), [("train", TrainConfig), ("doctor", DoctorConfig)])
def test_nobody_rates_where_nobody_can_be_asked(entry: str, schema: type) -> None:
    with pytest.raises(ConfigError, match="scorer: rating needs a judge"):
        check(entry, schema, read_command_line(["scorer=rating"]))


def test_rows_of_planners_are_supervised_or_of_whole_trajectories() -> None:
    given = ["agent=planner", "trajectories=[a.jsonl]", "tokenizer=somewhere"]
    with pytest.raises(ConfigError, match="prefs: agent=planner has no pairs of steps"):
        check("build_prefs", BuildPrefsConfig, read_command_line(given))
    messages = ["agent=planner", "trajectories=[a.jsonl]", "template=teacher", "prefs=sft", "prefs.prompt_loss=true"]
    with pytest.raises(ConfigError, match=r"prefs.prompt_loss: is about tokens"):
        check("build_prefs", BuildPrefsConfig, read_command_line(messages))
