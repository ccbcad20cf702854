from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from agentbench.config import load
from agentbench.config.entry import DoctorConfig, PrepareConfig, RolloutConfig, TrainConfig
from agentbench.config.env import Granularity, M3Env
from agentbench.config.model import OpenAIModel
from agentbench.errors import ConfigError

CHAT = {"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "name": "m"}


def rollout(**changes: Any) -> dict[str, Any]:
    """The smallest right configuration of a rollout, with changes."""
    parts = {"model": {"kind": "tiny"}, "template": {"kind": "tiny"}, "retriever": {"kind": "bm25"}}
    for part, kind in (("env", "m3"), ("agent", "chat")):
        if isinstance(changes.get(part, {}), dict):
            changes[part] = {"kind": kind, **changes.get(part, {})}
    return {**parts, "expert_mode": {"kind": "none"}, "tasks": {}, "rewards": {}, "cache_dir": "cache", **changes}


def problems(schema: type = RolloutConfig, **changes: Any) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        load(rollout(**changes), schema)
    return caught.value.problems


def test_values_become_typed_and_defaults_fill_the_rest() -> None:
    config = load(rollout(env={"tools": "selection"}, model=CHAT, template={"kind": "teacher"}), RolloutConfig)
    assert isinstance(config.env, M3Env) and config.env.tools is Granularity.SELECTION
    assert isinstance(config.model, OpenAIModel)
    assert (config.seed, config.resume, config.expert_mode.save_alternate_trace) == (0, None, False)


def test_every_problem_is_told_at_once() -> None:
    found = problems(agent={"temprature": 1}, env={"horizon": 0, "tools": "rset"}, seed="x", horizon=3)
    assert found == (
        "seed: must be a valid integer, got 'x'",
        "agent.temprature: unknown key, did you mean 'agent.temperature'?",
        "env.horizon: must be greater than or equal to 1, got 0",
        "env.tools: 'rset' is none of rest, slot_filling, selection, did you mean 'rest'?",
        "horizon: unknown key, did you mean 'env.horizon'?",
    )


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"model": {"kind": "hf"}, "template": {"kind": "student_qwen3"}}, "model.path: required, e.g. model.path=…"),
        ({"model": {"kind": "opanai"}}, "model: 'opanai' is none of tiny, hf, openai, did you mean 'openai'?"),
        ({"model": {}}, "model.kind: required, it says which kind of model is meant"),
        ({"model": {**CHAT, "name": 7}}, """model.name: must be text, got 7; quote it: model.name="'7'\""""),
        ({"model": {**CHAT, "timeout_s": -1}}, "model.timeout_s: must be greater than 0, got -1"),
        ({"env": {"worlds": "films"}}, "env.worlds: must be a list, got 'films'; write env.worlds=[films]"),
        ({"env": {"worlds": [["a"]]}}, "env.worlds.0: must be a valid string, got ['a']"),
        ({"env": 3}, "env: must be a group of keys (env.…=), got 3"),
        (
            {"env": {"kind": "mcp", "servers": {"a": {"url": "http://x"}}}, "tasks": {"file": "t"}},
            "env.servers.a.transport: required, it says which kind of env.servers.a is meant",
        ),
        (
            {"env": {"kind": "mcp", "servers": {"a": {"transport": "http", "url": 3}}}, "tasks": {"file": "t"}},
            """env.servers.a.url: must be text, got 3; quote it: env.servers.a.url="'3'\"""",
        ),
        (
            {"env": {"kind": "mcp", "servers": {"a": {"transport": "htp"}}}, "tasks": {"file": "t"}},
            "env.servers.a.transport: 'htp' is none of stdio, http, did you mean 'http'?",
        ),
        ({"concurrency": None}, "concurrency: required, e.g. concurrency=…"),
        ({"tasks": {"limit": 0}}, "tasks.limit: must be greater than or equal to 1, got 0"),
        (
            {"expert_mode": {"kind": "random", "recent_limit": 3}},
            "expert_mode.recent_limit: belongs to expert_mode=informed or expert_mode=judge, not to expert_mode=random",
        ),
    ],
)
def test_a_problem_names_the_key_as_it_is_typed(changes: dict[str, Any], problem: str) -> None:
    assert problems(**changes) == (problem,)


def test_a_mandatory_value_that_nobody_gave_is_required() -> None:
    assert problems(PrepareConfig, source={"kind": "sqlite", "database": "???"})[0] == (
        "source.database: required, e.g. source.database=…"
    )


def test_a_missing_part_is_required() -> None:
    with pytest.raises(ConfigError, match=r"^rewards: required, e\.g\. rewards=…$"):
        load({key: value for key, value in rollout().items() if key != "rewards"}, RolloutConfig)


def test_interpolations_are_resolved_and_each_broken_one_is_told() -> None:
    assert load(rollout(seed=4, concurrency="${seed}"), RolloutConfig).concurrency == 4
    assert problems(env={"horizon": "${tasks.nope}"}, seed="${nope}") == (
        "env.horizon: Interpolation key 'tasks.nope' not found",
        "seed: Interpolation key 'nope' not found",
    )


@pytest.mark.parametrize(
    ("changes", "beginning"),
    [
        ({"model": CHAT}, "template: model.mode=chat leaves"),
        ({"template": {"kind": "teacher"}}, "template: teacher has no layout"),
        ({"template": {"kind": "student_qwen3"}}, "template: model=tiny knows only"),
        ({"model": {**CHAT, "mode": "completions"}, "template": {"kind": "student_qwen3"}}, "template.tokenizer: requ"),
        ({"expert_mode": {"kind": "none", "save_alternate_trace": True}}, "expert_mode.save_alternate_trace: there is"),
        ({"env": {"worlds": []}}, "env.worlds: names no world"),
        ({"env": {"interface": {"shortlist": {"by": "dense"}}}}, "env.interface.shortlist.by: ranks nothing"),
        ({"env": {"worlds": ["a", "b", "a"]}}, "env.worlds: a named more than once"),
    ],
)
def test_parts_that_contradict_each_other_are_refused(changes: dict[str, Any], beginning: str) -> None:
    (problem,) = problems(**changes)
    assert problem.startswith(beginning)


def test_a_model_behind_a_server_cannot_be_trained() -> None:
    parts = rollout(model=CHAT, template={"kind": "teacher"}, stage={"kind": "sft"})
    wanted = ("stage", "model", "template", "agent", "env", "retriever", "rewards", "cache_dir")
    with pytest.raises(ConfigError, match=r"^model: a model behind a server cannot be trained here"):
        load({key: parts[key] for key in wanted}, TrainConfig)


def test_a_contradiction_is_told_beside_a_broken_value_elsewhere() -> None:
    found = problems(template={"kind": "teacher"}, env={"horizon": 0})
    assert [line.split(":")[0] for line in found] == ["env.horizon", "template"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"model": {**CHAT, "api_key": "abc"}}, "model.api_key"),
        ({"model": {**CHAT, "api_key_env": "sk-0123456789abcdef"}}, "model.api_key_env"),
        ({"cache_dir": "hf_0123456789abcdef"}, "cache_dir"),
        ({"hub_token": "abc"}, "hub_token"),
        ({"model": {**CHAT, "base_url": "http://u:1234@host/v1"}}, "model.base_url"),
        ({"password": 1234}, "password"),
    ],
)
def test_a_secret_is_refused_and_not_repeated(changes: dict[str, Any], key: str) -> None:
    (problem,) = problems(**{"template": {"kind": "teacher"}, "model": CHAT, **changes})
    assert problem.startswith(f"{key}: ") and ".env" in problem
    assert not any(secret in problem for secret in ("abc", "1234"))


def test_words_that_only_resemble_secrets_are_no_secrets() -> None:
    model = {**CHAT, "name": "hf_models/sk-learn", "api_key_env": "MY_TOKEN"}
    config = load(rollout(model=model, template={"kind": "teacher"}, agent={"max_tokens": 9}), RolloutConfig)
    assert config.agent.max_tokens == 9


def test_schemas_are_told_apart() -> None:
    retriever = {"kind": "bm25"}
    assert (
        load(
            {"env": {"kind": "m3"}, "retriever": retriever, "rewards": {}, "tasks": {}, "cache_dir": "c"}, DoctorConfig
        ).seed
        == 0
    )
    assert problems(DoctorConfig)[0] == "expert_mode: unknown key"


def test_loading_needs_no_heavy_package() -> None:
    code = "import sys, agentbench.config.entry; print(sorted({'torch', 'hydra', 'omegaconf'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
