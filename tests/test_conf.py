"""Every file under conf/ composes and loads, alone and with the values it asks for."""

from __future__ import annotations

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.app.groups import CONF, group_names, groups
from agentbench.config import entry as schemas
from agentbench.config.entry import RolloutConfig
from agentbench.config.expert_mode import InformedExpert, NoExpert
from agentbench.errors import ConfigError

SCHEMAS = {
    "prepare": schemas.PrepareConfig,
    "rollout": schemas.RolloutConfig,
    "eval": schemas.RolloutConfig,
    "train": schemas.TrainConfig,
    "doctor": schemas.DoctorConfig,
    "serve": schemas.ServeConfig,
}


def endpoint(actor: str) -> list[str]:
    return [f"{actor}.endpoint.base_url=http://127.0.0.1:1/v1", f"{actor}.endpoint.name=some"]


REQUIRED = {
    ("model", "hf"): ["model.path=somewhere"],
    ("model", "openai"): ["model.base_url=http://127.0.0.1:1/v1", "model.name=some"],
    ("source", "sqlite"): ["database=some.sqlite"],
    ("source", "vakra"): ["data_dir=somewhere"],
    ("env", "mcp"): [
        "env.servers.clock.command=[mcp-server-time]",
        "env.servers.clock.transport=stdio",
        "tasks.file=some.jsonl",
    ],
    ("expert", "llm"): [*endpoint("expert"), "expert_mode=informed"],
    ("overseer", "llm"): [*endpoint("overseer"), "expert_mode=informed"],
    ("judge", "llm"): endpoint("judge"),
    ("template", "teacher"): ["model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some"],
    ("template", "student_qwen3"): ["model=hf", "model.path=somewhere"],
    ("template", "student_mistral"): ["model=hf", "model.path=somewhere"],
    ("template", "student_granite3"): ["model=hf", "model.path=somewhere"],
}
"""What an option cannot be chosen without."""

CANNOT_TRAIN = {("model", "openai"), ("template", "teacher")}
ONLY_ROLLED_OUT = {("env", "mcp")}
"""Options of entry points that play episodes of an agent, and of no others."""

OPTIONS = [
    (entry, group.name, option)
    for entry in SCHEMAS
    for group in groups(entry).values()
    for option in group.options
    if entry != "train" or (group.name, option) not in CANNOT_TRAIN
    if entry in ("rollout", "eval") or (group.name, option) not in ONLY_ROLLED_OUT
]


def loaded(entry: str, *overrides: str) -> object:
    return check(entry, SCHEMAS[entry], read_command_line(overrides)).config


@pytest.mark.parametrize("entry", SCHEMAS)
def test_an_entry_point_needs_no_argument(entry: str) -> None:
    assert isinstance(loaded(entry), SCHEMAS[entry])


@pytest.mark.parametrize(("entry", "group", "option"), OPTIONS)
def test_an_option_composes_and_loads(entry: str, group: str, option: str) -> None:
    config = loaded(entry, f"{group}={option}", *REQUIRED.get((group, option), []))
    assert isinstance(config, SCHEMAS[entry])
    if group in vars(config):
        assert vars(config)[group].kind == option


def test_no_file_is_out_of_reach() -> None:
    assert group_names() == {name for entry in SCHEMAS for name in groups(entry)}
    assert {path.stem for path in CONF.glob("*.yaml")} == set(SCHEMAS)


@pytest.mark.parametrize(("model", "template"), [("tiny", "tiny"), ("hf", "student_qwen3"), ("openai", "teacher")])
def test_a_model_brings_the_template_that_fits_it(model: str, template: str) -> None:
    config = loaded("rollout", f"model={model}", *REQUIRED.get(("model", model), []))
    assert isinstance(config, RolloutConfig) and config.template.kind == template


def test_an_explicit_template_wins_over_the_model_s() -> None:
    config = loaded("rollout", "template=student_granite3", "model=hf", "model.path=somewhere")
    assert isinstance(config, RolloutConfig) and config.template.kind == "student_granite3"


def test_the_experiment_keeps_alternates_of_an_informed_expert() -> None:
    config = loaded("rollout", "experiment=informed_alternates")
    assert isinstance(config, RolloutConfig)
    assert isinstance(config.expert_mode, InformedExpert) and config.expert_mode.save_alternate_trace


@pytest.mark.parametrize("option", ["null", "nul"])
def test_no_experiment_is_an_option_called_none(option: str) -> None:
    assert loaded("rollout", "experiment=none") == loaded("rollout")
    with pytest.raises(ConfigError, match=f"^experiment: '{option}' is none of informed_alternates, none"):
        loaded("rollout", f"experiment={option}")
    with pytest.raises(ConfigError, match=r"^experiment: 'null' is none of"):
        loaded("rollout", "-m", "experiment=null,informed_alternates")


def test_an_agent_is_evaluated_alone() -> None:
    config = loaded("eval")
    assert isinstance(config, RolloutConfig) and isinstance(config.expert_mode, NoExpert)
