"""Rounds of rollout, preferences, training and evaluation by one command."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import orjson
import pytest

from agentbench.app.record import read_record
from agentbench.reporting.lineage import lineage
from agentbench.tasks.files import read_tasks
from tests.app.test_children import ended
from tests.end_to_end.conftest import Ended, command, environment

pytestmark = pytest.mark.slow

RUNS = ("rollout", "prefs", "train", "eval")


def settings(world: Path, student: Path, rounds: int) -> tuple[str, ...]:
    return (
        *("experiment=expert_iteration", f"model.path={student}", "model.max_tokens=12", f"env.worlds=['{world}']"),
        *("env.horizon=2", f"iteration.rounds={rounds}", "iteration.tasks=6", "evaluate.tasks=4"),
        *("stage.batch_size=8", "stage.learning_rate=1e-3", "cache_dir=cache"),
    )


def run(folder: Path, *arguments: str) -> Ended:
    """A whole loop; each round is four processes, and a busy machine takes minutes."""
    line = command("train", *arguments)
    done = subprocess.run(line, cwd=folder, env=environment(), capture_output=True, text=True, timeout=900)
    return Ended(done.returncode, done.stdout, done.stderr)


def exit_codes(folder: Path) -> dict[str, int | None]:
    """Of every run below a folder."""
    found = sorted(path.parent for path in folder.glob("round_*/*/run.json"))
    return {str(path.relative_to(folder)): (read_record(path) or {}).get("exit_code") for path in found}


WHOLE = {"round_0/eval": 0} | {f"round_{number}/{name}": 0 for number in (1, 2) for name in RUNS}


def test_two_rounds_are_runs_of_their_own_with_lineage(world: Path, student: Path, tmp_path: Path) -> None:
    done = run(tmp_path, *settings(world, student, 2), "hydra.run.dir=loop")
    assert done.code == 0, done.err
    loop = tmp_path / "loop"
    assert exit_codes(loop) == WHOLE
    played = [{task.id for task in read_tasks(loop / f"round_{number}" / "tasks.jsonl")} for number in (1, 2)]
    assert [len(ids) for ids in played] == [6, 6] and not played[0] & played[1]
    trained, next_one = (read_record(loop / f"round_{number}" / "train") or {} for number in (1, 2))
    assert next_one["inputs"]["model.path"]["path"] == "loop/round_1/train/model"
    assert next_one["inputs"]["model.path"]["sha256"] == trained["outputs"]["model"]["sha256"]
    made = {Path(each.run).name for each in lineage(loop / "round_2/train/model", tmp_path) if not each.use}
    assert {"rollout", "prefs", "train"} <= made
    outcomes = orjson.loads((loop / "rounds.json").read_bytes())
    assert [each["success"]["n"] for each in outcomes] == [4, 4, 4] and outcomes[1]["labelled_steps"] >= 6
    assert f"model: {Path('loop/round_2/train/model')}" in done.out
    again = run(tmp_path, *settings(world, student, 2), "resume=loop")
    assert again.code == 0 and again.out.count("has ended well before") == len(WHOLE) and "\n$ python" not in again.out


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_loop_leaves_nobody_behind_and_goes_on(
    number: signal.Signals, world: Path, student: Path, tmp_path: Path
) -> None:
    arguments = settings(world, student, 1)
    with subprocess.Popen(command("train", *arguments, "hydra.run.dir=loop"), cwd=tmp_path, env=environment()) as loop:
        while not (tmp_path / "loop/round_1/rollout/run.json").is_file():
            time.sleep(0.02)
        child = Path(f"/proc/{loop.pid}/task/{loop.pid}/children").read_text().split()
        loop.send_signal(number)
    assert loop.returncode == (4 if number is signal.SIGTERM else -9)
    assert len(child) == 1 and ended(Path("/proc", *child), 30)
    assert exit_codes(tmp_path / "loop") == {"round_0/eval": 0, "round_1/rollout": 4}
    assert run(tmp_path, *arguments, "resume=loop").code == 0
    assert exit_codes(tmp_path / "loop") == {key: code for key, code in WHOLE.items() if "round_2" not in key}


def test_a_run_that_fails_stops_the_loop_with_its_own_line_and_exit_code(
    world: Path, student: Path, tmp_path: Path
) -> None:
    failing = ("iteration.episode_timeout_s=1e-6", "evaluate.tasks=null", "hydra.run.dir=loop")
    done = run(tmp_path, *settings(world, student, 1), *failing)
    assert done.code == 3 and "Traceback" not in done.err
    assert "error: round 1, rollout: 6 of 6 episodes" in done.err
    assert "resume=loop" in done.err.splitlines()[-1]
    assert exit_codes(tmp_path / "loop") == {"round_1/rollout": 3}


def test_too_few_tasks_are_one_line_before_anything_runs(world: Path, student: Path, tmp_path: Path) -> None:
    done = run(tmp_path, *settings(world, student, 2), "iteration.tasks=31", "hydra.run.dir=loop")
    assert done.code == 5
    assert "error: 2 rounds of 31 tasks need 62, and there are 60\nnext: iteration.tasks=30, or fewer" in done.err
    assert exit_codes(tmp_path / "loop") == {}
