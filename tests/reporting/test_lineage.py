"""Where an artefact came from and what it was used for."""

from __future__ import annotations

import shutil
from dataclasses import field
from pathlib import Path

import orjson
import pytest

from agentbench.app.artefacts import add_inputs, described
from agentbench.app.record import RunRecord, read_record
from agentbench.config.schema import schema
from agentbench.errors import PreflightError
from agentbench.reporting.lineage import lineage


@schema
class Reads:
    """A configuration that names files."""

    trajectories: tuple[Path, ...] = ()
    rows: tuple[Path, ...] = ()
    model: dict[str, Path] = field(default_factory=dict)


def ran(folder: Path, entry: str, reads: Reads, writes: dict[str, str]) -> Path:
    folder.mkdir(parents=True)
    record = RunRecord(folder, entry, f"python -m agentbench.{entry}", 0, config=reads)
    record.start()
    for name, text in writes.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    record.end(0)
    return folder


@pytest.fixture
def outputs(tmp_path: Path) -> Path:
    """rollout → build_prefs → train → eval, below `outputs`."""
    top = tmp_path / "outputs"
    rollout = ran(top / "rollout", "rollout", Reads(), {"trajectories.jsonl": "played"})
    prefs = ran(
        top / "prefs", "build_prefs", Reads(trajectories=(rollout / "trajectories.jsonl",)), {"rows.jsonl": "r"}
    )
    train = ran(top / "train", "train", Reads(rows=(prefs / "rows.jsonl",)), {"adapter/weights": "w"})
    ran(top / "eval", "eval", Reads(model={"adapter": train / "adapter"}), {"trajectories.jsonl": "judged"})
    return top


def test_an_adapter_is_followed_back_to_trajectories_and_on_to_its_evaluation(outputs: Path) -> None:
    found = lineage(outputs / "train" / "adapter", outputs)
    assert [(each.stage, each.command.split(".")[-1], each.use) for each in found] == [
        ("trajectories", "rollout", False),
        ("rows", "build_prefs", False),
        ("adapter", "train", False),
        ("evaluation", "eval", True),
    ]
    assert not any(each.changed for each in found)


def test_a_run_folder_tells_the_same_as_what_it_wrote(outputs: Path) -> None:
    assert lineage(outputs / "train", outputs) == lineage(outputs / "train" / "adapter", outputs)


def test_a_copy_elsewhere_is_known_by_its_hash(outputs: Path, tmp_path: Path) -> None:
    shutil.copytree(outputs / "train" / "adapter", tmp_path / "copy")
    assert lineage(tmp_path / "copy", outputs) == lineage(outputs / "train", outputs)


def test_what_was_changed_or_lost_since_is_marked(outputs: Path) -> None:
    (outputs / "prefs" / "rows.jsonl").write_text("other")
    (outputs / "rollout" / "trajectories.jsonl").unlink()
    changed = {each.stage: each.changed for each in lineage(outputs / "train", outputs)}
    assert changed == {"trajectories": True, "rows": True, "adapter": False, "evaluation": False}


def test_what_no_run_tells_of_is_said_in_one_line(outputs: Path, tmp_path: Path) -> None:
    (tmp_path / "stray").write_text("?")
    with pytest.raises(PreflightError, match=r"^lineage: no run below .* tells of '.*stray'$"):
        lineage(tmp_path / "stray", outputs)
    with pytest.raises(PreflightError, match=r"^lineage: there is no '.*nowhere'$"):
        lineage(tmp_path / "nowhere", outputs)


def test_a_record_names_inputs_outputs_their_runs_and_the_memory_used(outputs: Path) -> None:
    record = read_record(outputs / "train")
    assert record is not None and record["peak_memory_bytes"]["ram"] > 10**6
    read = record["inputs"]["rows.0"]
    assert (read["bytes"], read["run"]) == (1, str(outputs / "prefs"))
    assert read["sha256"].startswith("454349e422f05297191ead13e21d3db5")  # printf r | sha256sum
    assert list(record["outputs"]) == ["adapter"]


def test_what_is_found_while_a_run_goes_on_stays_in_its_record(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "world.json").write_text("{}")
    record = RunRecord(tmp_path, "eval", "python -m agentbench.eval", 0)
    record.start()
    add_inputs(tmp_path, {"worlds.films": tmp_path / "world"})
    record.end(0)
    assert orjson.loads((tmp_path / "run.json").read_bytes())["inputs"]["worlds.films"]["bytes"] == 2


def test_a_folders_hash_knows_names_and_contents_and_ignores_an_index(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name / "index").mkdir(parents=True)
        (tmp_path / name / "file").write_text("same")
        (tmp_path / name / "index" / "segment").write_text(name)
    first, second = described(tmp_path / "a"), described(tmp_path / "b")
    assert first["sha256"] == second["sha256"] and first["bytes"] == 4
    (tmp_path / "b" / "file").rename(tmp_path / "b" / "other")
    assert described(tmp_path / "b")["sha256"] != first["sha256"]
