from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.app.folder import claim, resumed
from agentbench.app.lock import locked
from agentbench.app.record import RunRecord
from agentbench.config.entry import RolloutConfig
from agentbench.config.serve import VllmServe
from agentbench.errors import ConfigError, DataError, PreflightError


@pytest.fixture(scope="module")
def config() -> RolloutConfig:
    return check("rollout", RolloutConfig, read_command_line(["expert_mode=random"])).config


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The folder of a run of `config`."""
    saved = tmp_path / ".hydra" / "config.yaml"
    saved.parent.mkdir()
    parts: dict[str, Any] = {"agent": {"kind": "chat"}, "tasks": {}, "rewards": {}}
    parts |= {"env": {"kind": "m3"}, "retriever": {"kind": "bm25"}}
    kinds = {"model": {"kind": "tiny"}, "template": {"kind": "tiny"}, "expert_mode": {"kind": "random"}}
    saved.write_text(json.dumps({**parts, **kinds, "cache_dir": "outputs/cache"}))
    return tmp_path


def test_a_folder_is_never_given_twice(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        folders = set(pool.map(claim, [tmp_path / "now"] * 40))
    assert folders == {tmp_path / "now", *(tmp_path / f"now_{number}" for number in range(2, 41))}


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("nowhere")
    for name in ("file", "link"):
        with pytest.raises(PreflightError, match=f"cannot make the folder .*{name}: a file or a broken link is there"):
            claim(tmp_path / name / "now")
    with pytest.raises(PreflightError, match=r"cannot make the folder .*file/below: Not a directory"):
        claim(tmp_path / "file" / "below" / "now")


def test_the_same_configuration_is_gone_on_with(earlier: Path, config: RolloutConfig) -> None:
    quicker = dataclasses.replace(config, concurrency=3, resume=earlier)
    assert resumed(earlier, quicker, "rollout") == earlier


@pytest.mark.parametrize(
    ("change", "refused"),
    [({"port": 8000}, []), ({"start_timeout_s": 9.0, "parity": False}, []), ({"max_length": 64}, ["serve.max_length"])],
)
def test_a_server_may_listen_elsewhere_but_must_compute_the_same(
    change: dict[str, Any], refused: list[str], earlier: Path, config: RolloutConfig
) -> None:
    saved = earlier / ".hydra" / "config.yaml"
    saved.write_text(json.dumps({**json.loads(saved.read_text()), "serve": {"kind": "vllm"}}))
    moved = dataclasses.replace(config, serve=dataclasses.replace(VllmServe(), **change))
    try:
        resumed(earlier, moved, "rollout")
        told = []
    except ConfigError as error:
        told = [line.split(":")[0] for line in error.problems]
    assert told == refused


def test_another_configuration_is_refused_key_by_key(earlier: Path, config: RolloutConfig) -> None:
    other = dataclasses.replace(config, seed=3, agent=dataclasses.replace(config.agent, temperature=0.5))
    with pytest.raises(ConfigError) as caught:
        resumed(earlier, other, "rollout")
    assert [line.split(":")[0] for line in caught.value.problems] == ["seed", "agent.temperature"]


def test_a_folder_without_a_run_is_refused(tmp_path: Path, config: RolloutConfig) -> None:
    with pytest.raises(PreflightError, match=r"is not the folder of a run"):
        resumed(tmp_path, config, "rollout")
    with pytest.raises(PreflightError, match=r"^resume: no folder '.*nowhere'$"):
        resumed(tmp_path / "nowhere", config, "rollout")


def test_a_run_that_is_not_over_is_refused(earlier: Path, config: RolloutConfig) -> None:
    with locked(earlier), pytest.raises(PreflightError, match=f"in use by process {os.getpid()}$"):
        resumed(earlier, config, "rollout")


def test_a_run_of_another_entry_point_is_refused_in_one_line(earlier: Path, config: RolloutConfig) -> None:
    (earlier / ".hydra" / "config.yaml").write_text("source: {kind: embedded}\n")
    RunRecord(earlier, "prepare", "python -m agentbench.prepare", 0).start()
    with pytest.raises(ConfigError, match=r"^resume: .* is a run of prepare, not of rollout$"):
        resumed(earlier, config, "rollout")


@pytest.mark.parametrize(("text", "problem"), [("a: [1", "cannot be read: "), ("", "holds no configuration")])
def test_a_broken_configuration_is_told(earlier: Path, config: RolloutConfig, text: str, problem: str) -> None:
    (earlier / ".hydra" / "config.yaml").write_text(text)
    with pytest.raises(DataError, match=rf"\.hydra/config\.yaml: {problem}"):
        resumed(earlier, config, "rollout")


@pytest.mark.parametrize("broken", ["", '{"entry": "roll', "[]"])
def test_a_broken_record_is_replaced_with_a_note(
    earlier: Path, config: RolloutConfig, broken: str, caplog: pytest.LogCaptureFixture
) -> None:
    (earlier / "run.json").write_text(broken)
    assert resumed(earlier, config, "rollout") == earlier
    RunRecord(earlier, "rollout", "python -m agentbench.rollout", 3).start()
    assert json.loads((earlier / "run.json").read_text())["earlier"] == []
    assert "run.json cannot be read; a new one replaces it" in caplog.text


def test_the_record_of_a_run_grows_with_each_attempt(tmp_path: Path) -> None:
    first = RunRecord(tmp_path, "rollout", "python -m agentbench.rollout", 3)
    first.start()
    first.end(4, "interrupted")
    RunRecord(tmp_path, "rollout", "python -m agentbench.rollout resume=x", 3).start()
    record = json.loads((tmp_path / "run.json").read_text())
    assert "exit_code" not in record and record["seed"] == 3
    assert [(one["exit_code"], one["error"]) for one in record["earlier"]] == [(4, "interrupted")]
    assert record["packages"]["hydra-core"] == "1.3.8" and record["machine"]["cpus"] >= 1
