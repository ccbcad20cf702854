"""A configuration can be turned back into a command line that gives it."""

from __future__ import annotations

import dataclasses

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.app.groups import CONF
from agentbench.app.spelled import spelled
from agentbench.config import entry as schemas
from agentbench.config.entry import RolloutConfig
from agentbench.errors import ConfigError

SCHEMAS = {
    "rollout": schemas.RolloutConfig,
    "eval": schemas.EvalConfig,
    "build_prefs": schemas.BuildPrefsConfig,
    "train": schemas.TrainConfig,
}


def loaded(entry: str, *overrides: str) -> object:
    return check(entry, SCHEMAS[entry], read_command_line(overrides)).config


ASKED = {
    "nothing": ("eval",),
    "a choice and a value": ("rollout", "expert_mode=random", "expert_mode.probability=0.3"),
    "paths with blanks and quotes": ("rollout", "model.path='a b'", "tasks.file='it\\'s.jsonl'"),
    "a template that is not its model's": ("rollout", "model=hf", "model.path=x", "template=tiny"),
    "lists, mappings and words": ("rollout", "env.worlds=[films,'1']", "env.tool_concurrency={a:1}", "seed=-1"),
    "an option below another part": ("rollout", "interface=obfuscated"),
    "null in place of a number": ("train", "trainer.checkpoint_every=null"),
    "losses": ("train", "stage=dpo", "rows=[a]", "stage.added_losses=[sft]", "stage.added_weights=[1e-9]"),
    "an interpolated key": ("build_prefs", "trajectories=[x]", "tokenizer=some/model", "prefs=sft"),
    "what an experiment sets": ("rollout", "experiment=informed_alternates"),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED)
def test_the_overrides_give_the_configuration_again(asked: tuple[str, ...]) -> None:
    entry, *overrides = asked
    config = loaded(entry, *overrides)
    assert loaded(entry, *spelled(entry, config)) == config


def test_only_what_differs_is_said() -> None:
    config = loaded("rollout", "expert_mode=informed", "seed=0", "tasks.limit=3", "env.tools=rest")
    assert spelled("rollout", config) == ("expert_mode=informed", "tasks.limit=3")


def test_a_broken_rule_is_told() -> None:
    config = loaded("rollout")
    assert isinstance(config, RolloutConfig)
    with pytest.raises(ConfigError, match=r"^template: model=tiny knows only its own format"):
        spelled("rollout", dataclasses.replace(config, template=loaded_template("student_qwen3")))


def loaded_template(kind: str) -> schemas.TemplateConfig:
    config = loaded("rollout", "model=hf", "model.path=x", f"template={kind}")
    assert isinstance(config, RolloutConfig)
    return config.template


def test_a_run_that_is_under_way_keeps_its_own_configuration() -> None:
    config = loaded("rollout")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        held = GlobalHydra.instance().hydra
        spelled("rollout", config)
        assert GlobalHydra.instance().hydra is held
        assert compose("doctor").tasks.limit == 60
