"""What W&B's offline file holds, read from its bytes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentbench.config.tracker import WandbMode, WandbTracker
from agentbench.reporting.trackers import Counted, RunFacts, Table
from agentbench.reporting.trackers.wandb_run import start_wandb
from tests.reporting.trackers.wandb_file import offline_run, records

wandb = pytest.importorskip("wandb", reason="wandb is an optional extra")


@pytest.fixture
def written(facts: RunFacts) -> list[Any]:
    """The records of a run that used everything."""
    run = start_wandb(WandbTracker(project="mine", mode=WandbMode.OFFLINE), facts, "")
    run.log({"running/success": 0.5}, 3, Counted.EPISODES)
    run.log({"train/loss": 2.0}, 1, Counted.STEPS)
    run.table("trajectories", Table(("question", "success"), [("who?", True)]))
    (facts.folder / "summary.json").write_text("{}")
    run.files("run", [facts.folder / "summary.json"])
    run.finish({"success": 0.75}, 3)
    wandb.teardown()  # what the end of the process does: only then its service has written everything
    return records(offline_run(facts.folder))


def of_kind(written: list[Any], kind: str) -> list[Any]:
    return [getattr(record, kind) for record in written if record.WhichOneof("record_type") == kind]


def points(written: list[Any]) -> list[dict[str, Any]]:
    """What was logged, by dotted key, without W&B's own."""
    lines = [{".".join(item.nested_key): item.value_json for item in line.item} for line in of_kind(written, "history")]
    return [{key: json.loads(value) for key, value in line.items() if not key.startswith("_")} for line in lines]


def test_an_offline_run_says_which_sweep_it_is_of_and_what_made_it(written: list[Any], facts: RunFacts) -> None:
    (run, *_) = of_kind(written, "run")
    assert (run.project, run.run_group, run.job_type, run.display_name) == ("mine", "sweep_1", "rollout", "0: seed=0")
    config = {item.key: json.loads(item.value_json) for item in run.config.update}
    assert config["model"] == {"kind": "tiny"} and config["lineage"] == facts.lineage
    assert run.git.commit == "" and of_kind(written, "exit")[0].exit_code == 3


def test_curves_over_episodes_and_over_steps_do_not_mix(written: list[Any]) -> None:
    assert points(written)[:2] == [
        {"running/success": 0.5, "episodes": 3},
        {"train/loss": 2.0, "optimizer_steps": 1},
    ]
    axes = {metric.name: metric.step_metric for metric in of_kind(written, "metric")}
    assert axes == {"running/success": "episodes", "train/loss": "optimizer_steps"}


def test_the_sample_is_a_table_and_files_are_an_artifact(written: list[Any]) -> None:
    (table,) = (point for point in points(written) if "trajectories.nrows" in point)
    assert (table["trajectories.nrows"], table["trajectories.ncols"]) == (1, 2)
    (artifact,) = (one for one in of_kind(written, "artifact") if one.type == "run")
    assert [entry.path for entry in artifact.manifest.contents] == ["summary.json"]


def test_without_a_key_an_online_run_does_not_even_begin(facts: RunFacts) -> None:
    with pytest.raises(PermissionError, match="no key in WANDB_API_KEY"):
        start_wandb(WandbTracker(), facts, "")
    assert not (facts.folder / "wandb").exists()
