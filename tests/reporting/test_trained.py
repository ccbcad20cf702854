"""What the training of a run's model cost, told by the folders that its weights lie in."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
import yaml

from agentbench.reporting.trained import training_of

from .made_runs import episode, task, write_folder, write_run


def trained(folder: Path, began_with: Path | None, stage: str, metrics: dict[str, float]) -> Path:
    """A training's folder with a model in it; its run took 9 seconds and 3 GiB."""
    write_folder(folder, [], entry="train")
    model = {"path": str(began_with) if began_with else None}
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump({"stage": {"kind": stage}, "model": model}))
    (folder / "metrics.json").write_bytes(orjson.dumps(metrics))
    told = orjson.loads((folder / "run.json").read_bytes())
    told |= {"wall_seconds": 9.0, "peak_memory_bytes": {"ram": 3 * 2**30}}
    (folder / "run.json").write_bytes(orjson.dumps(told))
    (folder / "model").mkdir()
    return folder / "model"


def test_a_model_cost_what_all_its_trainings_did(tmp_path: Path) -> None:
    base = trained(tmp_path / "base", None, "sft", {})
    dpo = trained(tmp_path / "dpo", base, "dpo", {"seconds": 4.5})
    config = {"model": {"kind": "hf", "path": str(dpo)}, "template": {"kind": "student_qwen3"}}
    found = training_of(write_run(tmp_path / "eval", [episode(task("a"), True)], config))
    assert found is not None and found.stages == ("sft", "dpo")
    assert found.seconds == pytest.approx(9.0 + 4.5)  # the first did not time its steps: all of its run counts
    assert (found.peak_ram_bytes, found.peak_cuda_bytes) == (3 * 2**30, None)


def test_a_model_that_no_training_tells_of_has_no_cost(tmp_path: Path) -> None:
    assert training_of(write_run(tmp_path / "eval", [episode(task("a"), True)])) is None
