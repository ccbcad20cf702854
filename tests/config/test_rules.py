"""Settings that would do nothing are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build.fields.opening import open_field
from agentbench.config.entry import RolloutConfig
from agentbench.errors import ConfigError

SERVED = ("model=openai", "model.base_url=http://127.0.0.1:1/v1", "model.name=some", "template=teacher")


def loaded(*overrides: str) -> RolloutConfig:
    return check("rollout", RolloutConfig, read_command_line(overrides)).config


@pytest.mark.parametrize("key", ["top_k=5", "min_p=0.1", "repetition_penalty=1.1", "stop=[END]"])
def test_parameters_that_only_servers_know_are_refused_for_a_model_in_this_process(key: str) -> None:
    with pytest.raises(ConfigError, match=rf"^agent\.{key.split('=')[0]}: only servers know it"):
        loaded(f"agent.{key}")
    assert loaded(f"agent.{key}", *SERVED).agent.server_only == (key.split("=")[0],)


@pytest.mark.slow
def test_a_limit_for_a_tool_that_nobody_has_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    config = loaded("env.worlds=[chemistry]", "env.tool_concurrency={retrieve_document: 2}", *SERVED)
    told = r"^env.tool_concurrency: there is no tool 'retrieve_document', did you mean 'retrieve_documents'\?$"
    with pytest.raises(ConfigError, match=told):
        open_field(config.env, config.retriever, config.tasks, cache_dir=tmp_path, seed=0, report=print)
