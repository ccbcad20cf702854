"""The commands as a user types them, on a real world, with a real model or a real server."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import orjson
import pytest
from transformers import Qwen3Config, Qwen3ForCausalLM

from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.types import Actor, Final

from .conftest import ROOT, Run, command, environment


def only_run(folder: Path, entry: str) -> Path:
    (found,) = (folder / "outputs" / entry).iterdir()
    return found


def test_an_informed_rollout_writes_trees_that_preferences_can_be_read_from(
    run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    ended = run(
        "rollout",
        *("experiment=informed_alternates", f"env.worlds=['{world}']", "tasks.limit=20"),
        *(f"model.path='{student}'", "model.max_tokens=24"),
    )
    assert (ended.code, ended.err) == (0, "")
    folder = only_run(tmp_path, "rollout")
    summary = orjson.loads((folder / "summary.json").read_bytes())
    steps = [step for kept in read_trajectories(folder / TRAJECTORIES) for step in kept.history.steps]
    assert summary["total_time_steps"] == len(steps)
    assert all(len(step.decision.alternatives) == 1 for step in steps)
    assert {step.decision.actor for step in steps} == {Actor.AGENT, Actor.EXPERT}
    assert summary["step_preferences"] > 0


def test_a_student_that_is_not_there_is_trained_first(run: Run, world: Path, tmp_path: Path) -> None:
    small = ("model.hidden_size=16", "model.layers=1", "model.heads=1", "model.vocab_size=512", "model.max_tokens=8")
    arguments = ("expert_mode=informed", f"env.worlds=['{world}']", "tasks.limit=2", "cache_dir=cache", *small)
    first, second = run("rollout", *arguments), run("rollout", *arguments)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert "learning to copy" in first.out and "learning" not in second.out
    (student,) = (tmp_path / "cache" / "models").iterdir()
    assert (student / "model.safetensors").is_file()


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_killed_rollout_leaves_no_training_behind(world: Path, tmp_path: Path) -> None:
    arguments = ("expert_mode=informed", f"env.worlds=['{world}']", "cache_dir=cache", "tasks.limit=2")
    with subprocess.Popen(
        command("rollout", *arguments), cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        while "rolling out gold ones" not in running.stdout.readline():
            pass
        running.kill()
        killed = time.monotonic()
        running.stdout.read()  # until every process that holds the pipe has ended
    assert time.monotonic() - killed < 20


def test_a_given_model_with_its_own_template_plays(run: Run, world: Path, tmp_path: Path) -> None:
    tokenizer = ROOT.parent / "shared" / "data" / "tokenizers" / "qwen3"
    if not tokenizer.is_dir():
        pytest.skip("needs a real Qwen3 tokenizer in ../shared/data/tokenizers")
    config = Qwen3Config(
        vocab_size=151_936,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=32,
    )
    untrained = Qwen3ForCausalLM(config)
    untrained.save_pretrained(tmp_path / "model")
    chosen = ("model=hf", "model.path=model", f"template.tokenizer='{tokenizer}'", "agent.max_tokens=6")
    ended = run("rollout", *chosen, f"env.worlds=['{world}']", "env.horizon=3", "tasks.limit=2")
    assert (ended.code, ended.err) == (0, "")
    kept = list(read_trajectories(only_run(tmp_path, "rollout") / TRAJECTORIES))
    assert len(kept) == 2
    for trajectory in kept:
        prompts = [step.decision.generations[0].prompt_ids for step in trajectory.history.steps]
        assert all(later[: len(earlier)] == earlier for earlier, later in pairwise(prompts))


def test_the_readmes_python_runs(tmp_path: Path) -> None:
    code = (ROOT / "README.md").read_text().split("```python\n")[1].split("```")[0]
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Fe" in done.stdout and "'outcome': 'ok'" in done.stdout


def test_evaluation_is_the_agent_alone(run: Run, world: Path, student: Path, tmp_path: Path) -> None:
    ended = run("eval", f"env.worlds=['{world}']", "tasks.limit=8", f"model.path='{student}'", "model.max_tokens=24")
    assert (ended.code, ended.err) == (0, "")
    kept = list(read_trajectories(only_run(tmp_path, "eval") / TRAJECTORIES))
    assert [trajectory.expert_steps for trajectory in kept] == [0] * 8


@pytest.mark.parametrize("tools", ["rest", "slot_filling", "selection"])
def test_the_self_check_finds_the_world_fair(run: Run, world: Path, tools: str) -> None:
    ended = run("doctor", f"env.worlds=['{world}']", "tasks.limit=200", f"env.tools={tools}")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.count("yes") == 11


def test_a_killed_rollout_of_200_episodes_goes_on_where_it_was(
    run: Run, world: Path, server: str, tmp_path: Path
) -> None:
    arguments = (
        *("model=openai", f"model.base_url={server}", "model.name=slow", f"env.worlds=['{world}']"),
        *("concurrency=4", "hydra.run.dir=killed"),
    )
    lines = tmp_path / "killed" / TRAJECTORIES
    with subprocess.Popen(command("rollout", *arguments), cwd=tmp_path, env=environment()) as running:
        while not lines.exists() or lines.read_bytes().count(b"\n") < 40:
            time.sleep(0.01)
        running.send_signal(signal.SIGKILL)
    with lines.open("ab") as file:
        file.write(b'{"task": {"id": "films-te')
    ended = run("rollout", *arguments[:-1], "resume=killed")
    assert ended.code == 0, ended.err
    written = [orjson.loads(line)["task"]["id"] for line in lines.read_bytes().splitlines()]
    assert len(written) == len(set(written)) == 200
    assert "torn last line" in (tmp_path / "killed" / "rollout.log").read_text()


def test_an_interrupted_rollout_says_how_to_go_on(run: Run, world: Path, server: str, tmp_path: Path) -> None:
    arguments = (
        "model=openai",
        f"model.base_url={server}",
        "model.name=slow",
        f"env.worlds=['{world}']",
        "concurrency=2",
    )
    running = subprocess.Popen(
        command("rollout", *arguments), cwd=tmp_path, env=environment(), stderr=subprocess.PIPE, text=True
    )
    while not list(tmp_path.glob(f"outputs/rollout/*/{TRAJECTORIES}")):
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1]
    assert running.returncode == 4
    assert "next: python -m agentbench.rollout" in said and "resume=outputs/rollout/" in said


def test_a_server_that_is_not_there_is_one_line(run: Run, world: Path) -> None:
    ended = run(
        "rollout", "model=openai", "model.base_url=http://127.0.0.1:9/v1", "model.name=x", f"env.worlds=['{world}']"
    )
    assert ended.code == 5
    assert ended.err.splitlines()[0] == "error: cannot reach http://127.0.0.1:9/v1: Connection refused"


def test_bad_worlds_are_one_line_each(run: Run, tmp_path: Path) -> None:
    (tmp_path / "broken.sqlite").write_bytes(b"no database at all" * 100)
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "photo.txt").write_bytes(b"\x89PNG\x00\xff")
    with closing(sqlite3.connect(tmp_path / "good.sqlite")) as connection:
        connection.executescript("CREATE TABLE a (name TEXT); INSERT INTO a VALUES ('x');")
    for arguments, said in (
        (("env.worlds=[filmz]",), "did you mean 'films'"),
        (("source=sqlite", "database=missing.sqlite"), "missing.sqlite"),
        (("source=sqlite", "database=broken.sqlite"), "broken.sqlite"),
        (("source=sqlite", "database=good.sqlite", "documents=texts"), "photo.txt"),
    ):
        ended = run("prepare" if arguments[0].startswith("source") else "doctor", *arguments)
        assert ended.code == 5
        assert said in ended.err.splitlines()[0] and "Traceback" not in ended.err


def test_a_users_own_database_becomes_a_fair_world(run: Run, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.sqlite")) as connection:
        connection.executescript(SHOP)
        connection.executemany("INSERT INTO products VALUES (?, ?, ?, ?)", PRODUCTS)
        connection.commit()
    counts = ("source.tasks.train=20", "source.tasks.validation=4", "source.tasks.test=20")
    made = run("prepare", "source=sqlite", "database=shop.sqlite", "hydra.run.dir=made", *counts)
    assert (made.code, made.err) == (0, "")
    checked = run("doctor", "env.worlds=[made/world]", "tasks.limit=10")
    assert (checked.code, checked.err) == (0, "")


SHOP = "CREATE TABLE products (id INTEGER PRIMARY KEY, name TEXT UNIQUE, maker TEXT, price REAL);"
PRODUCTS = [
    (number, f"{colour} {thing}", f"Maker {number % 40}", 5.5 + number)
    for number, (colour, thing) in enumerate(
        (colour, thing)
        for colour in ("Red", "Blue", "Green", "Black", "White", "Golden", "Silver", "Purple", "Orange", "Brown")
        for thing in ("Lamp", "Chair", "Table", "Clock", "Kettle", "Mirror", "Shelf", "Basket", "Bottle", "Candle")
    )
]


def test_answers_end_episodes_in_what_is_written(run: Run, world: Path, server: str, tmp_path: Path) -> None:
    arguments = (
        "model=openai",
        f"model.base_url={server}",
        "model.name=slow",
        f"env.worlds=['{world}']",
        "tasks.limit=4",
    )
    assert run("eval", *arguments).code == 0
    kept = list(read_trajectories(only_run(tmp_path, "eval") / TRAJECTORIES))
    assert [type(trajectory.history.steps[-1].decision.action) for trajectory in kept] == [Final] * 4
