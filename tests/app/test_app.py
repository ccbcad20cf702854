"""What a user meets at the command line, in real processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from agentbench.app.lock import locked

ROOT = Path(__file__).parents[2]

ENTRY = """
import resource, sqlite3, sys, time
from pathlib import Path
from agentbench import app, errors

def run(config, folder):
    print(f"running {config.seed}", flush=True)
    match config.seed:
        case 1: raise ValueError("a bug")
        case 3: raise errors.RunFailed("too many failures")
        case 5: raise errors.PreflightError("no server", "start one")
        case 6: raise errors.GateFailed("idle agent scores 0.5")
        case 7: time.sleep(60)
        case 9: Path("/dev/full").write_text("words")
        case 10: sqlite3.connect(":memory:").executescript("PRAGMA max_page_count = 1; CREATE TABLE a (b)")
        case 8:
            while True: app.show("words " * 99)
        case 11:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
            (folder / "payload").write_text("words" * 4096)
        case 12: bytearray(2**60)
        case 13: raise errors.LlmError("the model says nothing", "ask another one")
        case 14:
            try: raise KeyboardInterrupt
            finally: None.closed
    (folder / "payload").touch()

sys.exit(app.main(app.Entry("rollout", "Rolls.", "RolloutConfig", run)))
"""

EARLY_CTRL_C = """
import signal, sys

class CtrlC:
    def find_spec(self, name, *_):
        if name == "agentbench.app.run":
            signal.raise_signal(signal.SIGINT)

sys.meta_path.insert(0, CtrlC())
"""


class Ended(NamedTuple):
    code: int
    out: str
    err: str
    cpu_seconds: float


def ended(command: list[str], folder: Path) -> Ended:
    before = os.times()
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Ended(done.returncode, done.stdout, done.stderr, used)


@pytest.fixture
def entry(tmp_path: Path) -> list[str]:
    (tmp_path / "entry.py").write_text(ENTRY)
    return [sys.executable, "entry.py"]


@pytest.mark.parametrize("name", ["prepare", "rollout", "build_prefs", "eval", "train", "doctor"])
def test_help_is_complete_and_instant(tmp_path: Path, name: str) -> None:
    shown = ended([sys.executable, "-m", f"agentbench.{name}", "--help"], tmp_path)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.count(f"  python -m agentbench.{name}") >= 3
    from_primary = "template.tokenizer=${tokenizer}" if name == "build_prefs" else "cache_dir=outputs/cache"
    assert all(text in shown.out for text in ("Exit codes: 0", "Choices", from_primary, "--multirun"))
    assert shown.cpu_seconds < 0.3


def test_a_wrong_configuration_is_told_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    overrides = ["expert_mode=informd", "agent.temprature=1", "env.horizon=0"]
    wrong = ended([sys.executable, "-m", "agentbench.rollout", *overrides], tmp_path)
    lines = wrong.err.splitlines()
    assert (wrong.code, wrong.out, lines[0]) == (2, "", "error: 3 problems in the configuration")
    assert [line.split(":")[0].strip() for line in lines[1:4]] == ["expert_mode", "agent.temprature", "env.horizon"]
    assert lines[4:] == ["next: python -m agentbench.rollout --help"]
    assert wrong.cpu_seconds < 1
    assert not (tmp_path / "outputs").exists()


def test_a_run_leaves_its_configuration_its_log_and_its_record(tmp_path: Path, entry: list[str]) -> None:
    done = ended([*entry, "seed=2"], tmp_path)
    assert (done.code, done.out, done.err) == (0, "running 2\n", "")
    (folder,) = (tmp_path / "outputs" / "rollout").iterdir()
    files = {path.name for path in folder.rglob("*")}
    assert files == {".hydra", "config.yaml", "hydra.yaml", "overrides.yaml", "rollout.log", "run.json", "payload"}
    record = json.loads((folder / "run.json").read_text())
    assert (record["exit_code"], record["seed"], record["command"]) == (0, 2, "python -m agentbench.rollout seed=2")


def test_a_failing_run_of_a_sweep_stops_no_other(tmp_path: Path, entry: list[str]) -> None:
    done = ended([*entry, "-m", "seed=1,6,0,5,3"], tmp_path)
    assert (done.code, done.out.split()[1::2]) == (6, ["1", "6", "0", "5", "3"])
    (folder,) = (tmp_path / "outputs" / "rollout").iterdir()
    codes = [json.loads((folder / str(job) / "run.json").read_text())["exit_code"] for job in range(5)]
    assert folder.name.startswith("sweep_") and codes == [1, 6, 0, 5, 3]
    assert "Traceback" in done.err and "ValueError: a bug" in (folder / "0" / "rollout.log").read_text()
    assert "error: seed=5: no server\nnext: start one\nthen: python -m agentbench.rollout seed=5 resume=" in done.err
    again = f"python -m agentbench.rollout seed=3 resume={(folder / '4').relative_to(tmp_path)}"
    assert f"error: seed=3: too many failures\nnext: {again}\n" in done.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_says_how_to_go_on(tmp_path: Path, entry: list[str], number: signal.Signals) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*entry, "-m", "seed=7,0"], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=-1
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "running 7\n"
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (4, "")
    assert err.startswith("error: seed=7: interrupted")
    assert "\nnext: python -m agentbench.rollout -m seed=7,0 resume=outputs/rollout/sweep_" in err


def test_a_reader_who_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m agentbench.rollout --help | true; echo ${{PIPESTATUS[0]}}"
    done = ended(["bash", "-c", command], tmp_path)
    assert (done.out, done.err) == ("0\n", "")


def test_a_run_that_nobody_reads_is_interrupted(tmp_path: Path, entry: list[str]) -> None:
    done = ended(["bash", "-c", f"{' '.join(entry)} seed=8 | head -1; echo ${{PIPESTATUS[0]}}"], tmp_path)
    assert done.out == "running 8\n4\n"
    assert done.err.startswith("error: nobody reads the output any more") and "Traceback" not in done.err
    (record,) = (tmp_path / "outputs" / "rollout").glob("*/run.json")
    assert json.loads(record.read_text())["exit_code"] == 4


def test_hydra_s_own_flags_still_work(tmp_path: Path) -> None:
    shown = ended([sys.executable, "-m", "agentbench.rollout", "--cfg", "job", "expert_mode=informed"], tmp_path)
    assert shown.code == 0 and "expert_mode:\n  kind: informed\n" in shown.out
    assert not (tmp_path / "outputs").exists()


def test_going_on_with_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    wrong = ended([sys.executable, "-m", "agentbench.rollout", "resume=outputs/rollout/nowhere"], tmp_path)
    assert (wrong.code, wrong.err.splitlines()[0]) == (5, "error: resume: no folder 'outputs/rollout/nowhere'")


def test_a_resumed_run_writes_where_it_was(tmp_path: Path, entry: list[str]) -> None:
    ended([*entry, "hydra.run.dir=mine"], tmp_path)
    done = ended([*entry, "resume=mine"], tmp_path)
    record = json.loads((tmp_path / "mine" / "run.json").read_text())
    assert (done.code, done.err, len(record["earlier"])) == (0, "", 1)
    assert (tmp_path / "mine" / ".hydra" / "config.yaml").is_file() and not (tmp_path / "outputs").exists()


def test_a_refused_second_process_leaves_the_record_of_the_first_alone(tmp_path: Path, entry: list[str]) -> None:
    ended([*entry, "hydra.run.dir=mine"], tmp_path)
    before = (tmp_path / "mine" / "run.json").read_bytes()
    with locked(tmp_path / "mine"):
        done = ended([*entry, "resume=mine"], tmp_path)
    assert done.code == 5 and f"in use by process {os.getpid()}\nnext: wait" in done.err
    assert (tmp_path / "mine" / "run.json").read_bytes() == before


@pytest.mark.parametrize("file", ["rollout.log", ".hydra/resumed/config.yaml"])
def test_a_full_disk_is_told_in_one_line(tmp_path: Path, entry: list[str], file: str) -> None:
    ended([*entry, "hydra.run.dir=mine"], tmp_path)
    (tmp_path / "mine" / ".hydra" / "resumed").mkdir()
    (tmp_path / "mine" / file).unlink(missing_ok=True)
    (tmp_path / "mine" / file).symlink_to("/dev/full")
    done = ended([*entry, "resume=mine"], tmp_path)
    assert done.code == (0 if file == "rollout.log" else 5) and "Traceback" not in done.err
    assert ("No space left on device\nnext: make room" in done.err) == (done.code == 5)


def test_a_log_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path, entry: list[str]) -> None:
    ended([*entry, "hydra.run.dir=mine"], tmp_path)
    (tmp_path / "mine" / "rollout.log").unlink()
    (tmp_path / "mine" / "rollout.log").mkdir()
    done = ended([*entry, "resume=mine"], tmp_path)
    place = tmp_path.resolve() / "mine" / "rollout.log"
    assert done.code == 5 and done.err.startswith(f"error: cannot write {place}: Is a directory\nnext: make room")
    assert done.err.count("\n") == 2


def test_a_disk_full_in_the_middle_is_no_bug_and_says_how_to_go_on(tmp_path: Path, entry: list[str]) -> None:
    done = ended([*entry, "seed=9"], tmp_path)
    assert (done.code, done.err.count("\n")) == (5, 3)
    assert done.err.startswith("error: cannot write a file of this run: No space left on device\nnext: make room")
    assert "\nthen: python -m agentbench.rollout seed=9 resume=outputs/rollout/" in done.err


def test_a_disk_too_full_for_a_database_is_no_bug_either(tmp_path: Path, entry: list[str]) -> None:
    done = ended([*entry, "seed=10"], tmp_path)
    expected = "error: cannot write a database: database or disk is full\nnext: make room"
    assert done.code == 5 and done.err.startswith(expected)


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        (11, "error: cannot write a file of this run: File too large\nnext: make room"),
        (12, "error: out of memory: MemoryError\nnext: a smaller batch, concurrency or model"),
        (13, "error: the model says nothing\nnext: ask another one"),
    ],
)
def test_what_the_machine_or_a_model_refuses_is_no_bug(tmp_path: Path, entry: list[str], seed: int, said: str) -> None:
    done = ended([*entry, f"seed={seed}"], tmp_path)
    assert done.code == 5 and done.err.startswith(said) and "Traceback" not in done.err
    assert f"\nthen: python -m agentbench.rollout seed={seed} resume=outputs/rollout/" in done.err


def test_a_ctrl_c_that_a_library_makes_something_else_of_is_an_interruption(tmp_path: Path, entry: list[str]) -> None:
    done = ended([*entry, "seed=14"], tmp_path)
    assert done.code == 4 and done.err.startswith("error: interrupted; what is finished is on disk\nnext: python")
    assert done.err.count("\n") == 2


def test_the_exit_code_of_an_interruption_is_ours_wherever_it_came(tmp_path: Path, entry: list[str]) -> None:
    in_a_string = ENTRY.replace("try: raise KeyboardInterrupt", 'try: exec("raise KeyboardInterrupt")')
    (tmp_path / "entry.py").write_text(in_a_string)
    assert ended([sys.executable, "-m", "entry", "seed=14"], tmp_path).code == 4


def test_a_sigterm_at_the_very_start_is_an_interruption_too(tmp_path: Path, entry: list[str]) -> None:
    (tmp_path / "entry.py").write_text(EARLY_CTRL_C.replace("SIGINT", "SIGTERM") + ENTRY)
    done = ended([*entry, "seed=2"], tmp_path)
    assert (done.code, done.out) == (4, "") and done.err.startswith("error: interrupted before the start\nnext: ")


def test_ctrl_c_while_the_program_is_loading_is_an_interruption(tmp_path: Path, entry: list[str]) -> None:
    (tmp_path / "entry.py").write_text(EARLY_CTRL_C + ENTRY)
    done = ended([*entry, "seed=2"], tmp_path)
    expected = "error: interrupted before the start\nnext: python -m agentbench.rollout seed=2\n"
    assert (done.code, done.out, done.err) == (4, "", expected)
