"""Sweeps and trackers as a user meets them: commands in processes of their own, files read from their bytes."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.reporting.trackers.wandb_file import offline_run, records

from .conftest import Run

OFFLINE = ("tracker=wandb", "tracker.mode=offline")
GOLD = ("expert_mode=ground_truth", "tasks.limit=12")


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def group_and_exit_code(job: Path) -> tuple[str, int]:
    """What W&B knows of a job."""
    kinds = {record.WhichOneof("record_type"): record for record in reversed(records(offline_run(job)))}
    return kinds["run"].run.run_group, kinds["exit"].exit.exit_code


def test_a_job_that_fails_is_told_and_costs_its_siblings_nothing(run: Run, world: Path, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="wandb is an optional extra")
    ended = run("rollout", *GOLD, *OFFLINE, "-m", f"env.worlds=['{world}'],[nowhere],['{world}/.']")
    sweep = only(tmp_path / "outputs" / "rollout")
    assert ended.code == 5 and "env.worlds=[nowhere]: " in ended.err
    rows = [line for line in ended.out.splitlines() if line.startswith("│ [")]
    assert ["12 │     12" in row for row in rows] == [True, False, True] and "no embedded domain 'nowhere'" in rows[1]
    outcomes = orjson.loads((sweep / "sweep.json").read_bytes())
    assert [bool(outcome["success"]) for outcome in outcomes] == [True, False, True]
    assert ended.out.splitlines()[-2:] == [f"plot: outputs/rollout/{sweep.name}/sweep.{end}" for end in ("png", "svg")]
    found = [group_and_exit_code(sweep / str(job)) for job in range(3)]
    assert found == [(sweep.name, 0), (sweep.name, 5), (sweep.name, 0)]


def test_no_secret_is_in_any_file_of_a_run(
    run: Run, world: Path, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is an optional extra")
    secrets = {
        "WANDB_API_KEY": "0123456789abcdef" * 3,
        "OPENAI_API_KEY": "sk-fake-very-secret-1",
        "HF_TOKEN": "hf_fakefake99",
    }
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)
    (tmp_path / ".env").write_text("MY_PASSWORD=open-sesame-77\n")
    model = ("model=openai", f"model.base_url={server}", "model.name=slow")
    ended = run("rollout", *model, *OFFLINE, f"env.worlds=['{world}']", "tasks.limit=6")
    assert (ended.code, ended.err) == (0, "")
    files = [path for path in (tmp_path / "outputs").rglob("*") if path.is_file()]
    assert len([path for path in files if "wandb" in path.parts]) > 5
    for secret in (*secrets.values(), "open-sesame-77"):
        assert [path for path in files if secret.encode() in path.read_bytes()] == []


def test_a_tracker_that_does_not_work_costs_a_run_one_line(
    run: Run, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("wandb", reason="wandb is an optional extra")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    ended = run("rollout", *GOLD, "tracker=wandb", f"env.worlds=['{world}']")
    assert (ended.code, ended.err) == (0, "")
    warnings = [line for line in ended.out.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 1 and "no key in WANDB_API_KEY" in warnings[0]


@pytest.mark.slow
def test_a_sweep_of_trainings_ends_in_the_success_of_what_was_trained(
    run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    gold = run("rollout", *GOLD, "tasks.split=train", f"env.worlds=['{world}']", "hydra.run.dir=gold")
    assert gold.code == 0
    ended = run(
        *(
            "train",
            "sweep=lora_rank",
            "lora.rank=2,4",
            "evaluate.tasks=4",
            "evaluate.split=test",
            "tracker=tensorboard",
        ),
        *(f"env.worlds=['{world}']", f"model.path='{student}'", "model.max_tokens=8"),
        *("trajectories=[gold/trajectories.jsonl]", "stage.epochs=1", "stage.batch_size=4", "env.horizon=2"),
    )
    assert (ended.code, ended.err) == (0, "")
    sweep = only(tmp_path / "outputs" / "train")
    outcomes = orjson.loads((sweep / "sweep.json").read_bytes())
    assert [(one["settings"]["lora.rank"], one["success"]["n"]) for one in outcomes] == [("2", 4), ("4", 4)]
    assert "<!-- lora.rank -->" in (sweep / "sweep.svg").read_text()
    assert list((sweep / "1" / "tensorboard").iterdir())
