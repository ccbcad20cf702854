"""A run and its tracker: what stops a run, what does not, and what of it is shown."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from agentbench.app.check import check
from agentbench.app.command_line import read_command_line
from agentbench.build import tracking
from agentbench.config.entry import RolloutConfig
from agentbench.config.secrets import secret_values
from agentbench.errors import AgentbenchError, Interrupted, PreflightError, RunFailed
from tests.reporting.made_runs import episode, task, write_run


def config(*overrides: str) -> RolloutConfig:
    return check("rollout", RolloutConfig, read_command_line(overrides)).config


@pytest.mark.parametrize(("kind", "package"), [("wandb", "wandb"), ("tensorboard", "tensorboardX")])
def test_a_package_that_is_missing_is_told_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, package: str
) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)  # stands for an environment without it
    with pytest.raises(PreflightError, match=f"tracker={kind} needs the package {package}") as caught:
        tracking.tracked(config(f"tracker={kind}"), tmp_path, print).__enter__()
    assert caught.value.next_step == f"pip install 'agentbench[{kind}]', or tracker=none"


def test_a_run_that_fails_ends_as_failed_in_its_tracker_too(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with pytest.raises(RunFailed), tracking.tracked(config("tracker=tensorboard"), tmp_path, print) as tracker:
        tracker.add({"success": 0.5})
        raise RunFailed("too many failures")
    found = accumulator.EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [found.Scalars(f"final/{name}")[0].value for name in ("success", "exit_code")] == [0.5, 3.0]


@pytest.mark.parametrize(("code", "kept"), [(0, True), (3, True), (4, False)])
def test_a_run_that_came_to_its_end_is_tracked_with_its_report(tmp_path: Path, code: int, kept: bool) -> None:
    pytest.importorskip("tensorboardX")
    run = write_run(tmp_path / "run", [episode(task("a"), True)])
    with contextlib.suppress(AgentbenchError), tracking.tracked(config("tracker=tensorboard"), run.folder, print):
        if code:
            raise {3: RunFailed, 4: Interrupted}[code]("stopped")
    assert (run.folder / "report.html").is_file() is kept


def test_a_run_without_episodes_costs_its_tracker_a_report_and_one_line(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    said: list[str] = []
    with tracking.tracked(config("tracker=tensorboard"), tmp_path, said.append):
        pass
    assert len(said) == 1 and said[0].startswith("warning: the tracker gets no report.html (no run of episodes in")


def test_without_a_tracker_nothing_is_written(tmp_path: Path) -> None:
    with tracking.tracked(config(), tmp_path, print) as tracker:
        tracker.add({"success": 0.5})
    assert not list(tmp_path.iterdir())


def test_secrets_are_what_variables_of_such_names_hold() -> None:
    environment = {
        "HF_TOKEN": "hf_abc123",
        "MINE": "open-sesame",
        "PATH": "/usr/bin",
        "DB_PASSWORD": "123",
        "KEY_API": None,
    }
    assert secret_values(environment, ["MINE"]) == ("open-sesame", "hf_abc123")
