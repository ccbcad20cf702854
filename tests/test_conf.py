"""Every file under conf/ composes and loads, alone and with the values it asks for."""

from __future__ import annotations

from importlib.util import find_spec

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
    "eval": schemas.EvalConfig,
    "build_prefs": schemas.BuildPrefsConfig,
    "train": schemas.TrainConfig,
    "doctor": schemas.DoctorConfig,
    "serve": schemas.ServeConfig,
    "report": schemas.ReportConfig,
}

GIVEN = ["model=hf", "model.path=somewhere", "template=student_qwen3"]
"""A model that is there already."""


def endpoint(actor: str) -> list[str]:
    return [f"{actor}.endpoint.base_url=http://127.0.0.1:1/v1", f"{actor}.endpoint.name=some"]


CODERS = ("qwen25", "deepseek_coder", "starcoder2")
CODE_MODELS = ("qwen25_coder_3b", "deepseek_coder_1b", "starcoder2_3b")

REQUIRED = {
    ("model", "hf"): ["model.path=somewhere"],
    ("model", "openai"): ["model.base_url=http://127.0.0.1:1/v1", "model.name=some"],
    ("source", "sqlite"): ["database=some.sqlite"],
    ("source", "vakra"): ["data_dir=somewhere"],
    ("env", "appworld"): ["env.root=somewhere"],
    ("source", "toolbench"): ["source.path=somewhere"],
    ("env", "assistant"): ["tasks.file=some.jsonl", "judge=llm", *endpoint("judge")],
    ("scorer", "rating"): ["judge=llm", *endpoint("judge")],
    ("source", "dump"): ["source.path=some.jsonl"],
    ("source", "assistant"): ["source.endpoint.base_url=http://127.0.0.1:1/v1", "source.endpoint.name=some"],
    ("experiment", "appworld_grpo"): ["env.root=somewhere", "model.path=somewhere"],
    **{
        ("experiment", f"appworld_sft{kind}"): ["env.root=somewhere", "model.path=somewhere"]
        for kind in ("", "_lora", "_qlora")
    },
    ("env", "mcp"): [
        "env.servers.clock.command=[mcp-server-time]",
        "env.servers.clock.transport=stdio",
        "tasks.file=some.jsonl",
    ],
    ("env", "tau2"): ["env.root=somewhere"],
    ("expert", "llm"): [*endpoint("expert"), "expert_mode=informed"],
    ("overseer", "llm"): [*endpoint("overseer"), "expert_mode=informed"],
    ("judge", "llm"): endpoint("judge"),
    ("expert_mode", "judge"): ["overseer=llm", *endpoint("overseer")],
    **{("stage", stage): ["rows=[some.jsonl]", *GIVEN] for stage in ("dpo", "kto", "orpo")},
    **{("lora", adapter): ["rows=[some.jsonl]", *GIVEN] for adapter in ("lora", "qlora")},
    **{
        ("launcher", launcher): ["rows=[some.jsonl]", *GIVEN]
        for launcher in ("accelerate", "deepspeed_zero2", "deepspeed_zero3", "fsdp")
    },
    **{("sweep", sweep): ["rows=[some.jsonl]", *GIVEN] for sweep in ("lora_rank", "dpo_beta", "optuna_dpo")},
    ("template", "teacher"): ["model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some"],
    ("template", "student_qwen3"): ["model=hf", "model.path=somewhere"],
    ("template", "student_mistral"): ["model=hf", "model.path=somewhere"],
    ("template", "student_granite3"): ["model=hf", "model.path=somewhere"],
    **{("template", f"student_{family}"): ["model=hf", "model.path=somewhere"] for family in CODERS},
    **{("experiment", f"xlam_{model}_dpo"): ["rows=[some.jsonl]"] for model in CODE_MODELS},
    ("env", "nestful"): ["env.file=somewhere"],
}
"""What an option cannot be chosen without."""

KINDS = {("env", "nestful"): "function_call", ("agent", "calls"): "chat", ("agent", "service"): "chat"}
KINDS |= {("model", model): "hf" for model in CODE_MODELS}
"""What options are of which a kind has several."""

TRAJECTORIES = "trajectories=[some.jsonl]"
INPUTS = {"build_prefs": [TRAJECTORIES, "tokenizer=somewhere"]}
"""What an entry point makes its output of, and cannot do without."""

WITHOUT_TOKENS = {
    ("build_prefs", "template", "teacher"): [TRAJECTORIES],
    ("build_prefs", "agent", "planner"): [TRAJECTORIES, "tokenizer=somewhere", "prefs=sft"],
    ("train", "serve", "vllm"): ["stage=grpo", "lora=lora", *GIVEN],
}
"""Options that rule out one of these inputs, or need another; of one entry point alone."""

PLAYED = {"rollout", "eval"}
APPWORLD = ("appworld_grpo", "appworld_sft", "appworld_sft_lora", "appworld_sft_qlora")
ONLY_FOR = {
    ("model", "none"): {"doctor"},
    ("model", "openai"): {*PLAYED, "doctor"},
    ("template", "teacher"): {*PLAYED, "doctor", "build_prefs"},
    ("env", "appworld"): {*PLAYED, "train", "doctor"},
    ("env", "tau2"): {*PLAYED, "train", "doctor"},
    ("env", "bfcl"): PLAYED,
    ("env", "playground"): {*PLAYED, "train", "doctor"},
    ("scorer", "tool_use"): {*PLAYED, "train", "doctor"},
    ("env", "mcp"): PLAYED,
    ("env", "function_call"): {*PLAYED, "train", "doctor"},
    ("env", "nestful"): {*PLAYED, "doctor"},
    ("experiment", "function_call_rl"): {"train"},
    **{("experiment", f"xlam_{model}_{step}"): {"train"} for model in CODE_MODELS for step in ("sft", "dpo", "grpo")},
    ("env", "assistant"): PLAYED,
    ("scorer", "rating"): PLAYED,
    **{("expert_mode", kind): PLAYED for kind in groups("rollout")["expert_mode"].options if kind != "none"},
    **{("experiment", name): {"rollout"} for name in ("informed_alternates", "tree")},
    **{("experiment", name): {"train"} for name in ("expert_iteration", "dagger", *APPWORLD)},
    ("launcher", "ray"): PLAYED,
    **{("launcher", kind): {"train"} for kind in ("accelerate", "deepspeed_zero2", "deepspeed_zero3", "fsdp")},
    ("serve", "mcp"): {"serve"},
    ("serve", "none"): PLAYED,
    ("sweep", "tool_interface"): PLAYED,
    ("sweep", "scenario_grid"): PLAYED,
    ("sweep", "horizon"): PLAYED,
    ("sweep", "expert_budget"): {"rollout"},
    ("sweep", "lora_rank"): {"train"},
    ("sweep", "dpo_beta"): {"train"},
    ("sweep", "optuna_dpo"): {"train"} if find_spec("optuna") else set(),
}
"""Options that only some entry points can use."""

OPTIONS = [
    (entry, group.name, option)
    for entry in SCHEMAS
    for group in groups(entry).values()
    for option in group.options
    if entry in ONLY_FOR.get((group.name, option), SCHEMAS)
]


def loaded(entry: str, *overrides: str) -> object:
    return check(entry, SCHEMAS[entry], read_command_line(overrides)).config


@pytest.mark.parametrize("entry", SCHEMAS)
def test_an_entry_point_needs_no_argument_but_its_inputs(entry: str) -> None:
    assert isinstance(loaded(entry, *INPUTS.get(entry, [])), SCHEMAS[entry])


@pytest.mark.parametrize(("entry", "group", "option"), OPTIONS)
def test_an_option_composes_and_loads(entry: str, group: str, option: str) -> None:
    needed = WITHOUT_TOKENS.get((entry, group, option), INPUTS.get(entry)) or REQUIRED.get((group, option), [])
    config = loaded(entry, f"{group}={option}", *needed)
    assert isinstance(config, SCHEMAS[entry])
    if group in vars(config):
        assert vars(config)[group].kind == KINDS.get((group, option), option)


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
    with pytest.raises(ConfigError, match=f"^experiment: '{option}' is none of informed_alternates, none, tree"):
        loaded("rollout", f"experiment={option}")
    with pytest.raises(ConfigError, match=r"^experiment: 'null' is none of"):
        loaded("rollout", "-m", "experiment=null,informed_alternates")


def test_an_agent_is_evaluated_alone() -> None:
    config = loaded("eval")
    assert isinstance(config, RolloutConfig) and isinstance(config.expert_mode, NoExpert)
