"""A training that plays its own episodes, as the command line runs it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import orjson
import pytest
import torch
from safetensors.torch import load_file

from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from tests.end_to_end.conftest import Run, command, environment

pytestmark = pytest.mark.slow


def settings(world: Path, student: Path) -> tuple[str, ...]:
    return (
        *("stage=grpo", "model=tiny", f"model.path={student}", "model.max_tokens=12", f"env.worlds=['{world}']"),
        *("env.horizon=2", "stage.steps=4", "stage.tasks_per_step=4", "stage.group_size=2", "stage.epochs=2"),
        *("stage.drop_equal_groups=false", "trainer.checkpoint_every=1", "cache_dir=cache"),
    )


def metrics(folder: Path) -> list[dict[str, float]]:
    return [orjson.loads(line) for line in (folder / "metrics.jsonl").read_bytes().splitlines()]


def played(folder: Path) -> dict[tuple[str, int], tuple[int, float]]:
    """Seed and return of every episode."""
    found = read_trajectories(folder / "rollouts" / TRAJECTORIES)
    return {(one.task.id, one.sample): (one.seed, sum(step.reward for step in one.history.steps)) for one in found}


def test_a_killed_training_plays_the_rollouts_that_are_left(
    run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    """With the same tasks and seeds. Rewards may differ where rounding in float32 tips a close draw: one in ten may."""
    arguments = settings(world, student)
    assert run("train", *arguments, "hydra.run.dir=whole").code == 0
    killed = command("train", *arguments, "hydra.run.dir=killed")
    with subprocess.Popen(killed, cwd=tmp_path, env=environment()) as running:
        while not list((tmp_path / "killed" / "trainer").glob("checkpoint-*/complete")):
            time.sleep(0.02)
        running.kill()
    assert not (tmp_path / "killed" / "model").exists(), "it was killed before the end"
    ended = run("train", *arguments, "resume=killed")
    assert ended.code == 0, ended.err
    whole, gone_on = played(tmp_path / "whole"), played(tmp_path / "killed")
    assert {key: seed for key, (seed, _) in whole.items()} == {key: seed for key, (seed, _) in gone_on.items()}
    assert sum(whole[key] != gone_on[key] for key in whole) <= len(whole) // 10
    assert [line["step"] for line in metrics(tmp_path / "killed")] == [1, 2, 3, 4, 5, 6, 7, 8, 8]


def test_a_training_whose_episodes_fail_stops_and_says_why(run: Run, world: Path, student: Path) -> None:
    ended = run("train", *settings(world, student), "stage.episode_timeout_s=1e-6", "hydra.run.dir=failed")
    assert ended.code == 3 and "Traceback" not in ended.err
    assert "error: 1 of 8 episodes of a rollout ended with an error, more than 10 %" in ended.err
    assert "EpisodeTimeout" in ended.err and "next: " in ended.err


def test_too_few_tasks_are_one_line(run: Run, world: Path, student: Path) -> None:
    ended = run("train", *settings(world, student), "stage.tasks_per_step=500")
    assert ended.code == 5 and "error: stage.tasks_per_step=500, but there are 60 tasks to play" in ended.err


@pytest.mark.parametrize("stage", ["rloo", "ppo", "rft"])
def test_the_other_stages_run_with_an_adapter_and_are_judged(
    stage: str, run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    more = (f"stage={stage}", "lora=lora", "stage.steps=2", "stage.evaluate_every=1", "evaluate.tasks=3")
    (_, *rest) = settings(world, student)
    ended = run("train", *rest, *more, "expert_mode=random", "hydra.run.dir=judged")
    assert ended.code == 0, ended.err
    assert (tmp_path / "judged" / "adapter" / "adapter_model.safetensors").is_file()
    assert sum("held_out_success" in line for line in metrics(tmp_path / "judged")) == 2
    assert "rollout 2 of 2: held-out success" in ended.out


def weights(folder: Path) -> torch.Tensor:
    """All of a model's, one after the other."""
    found = load_file(folder / "model.safetensors")
    return torch.cat([found[name].flatten() for name in sorted(found)])


MORE = {"grpo": ("stage.loss=dapo",), "rloo": ("stage.beta=0.05",), "ppo": ("stage.beta=0.05",), "rft": ()}


@pytest.mark.parametrize("stage", MORE)
def test_two_processes_play_and_learn_what_one_does(
    stage: str, run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    """The same episodes, each written once; what is learnt of them differs by rounding alone."""
    (_, *rest) = settings(world, student)
    more = (f"stage={stage}", *MORE[stage], "stage.steps=2", "stage.minibatches=2", "trainer.micro_batch=2")
    for folder, launcher in (("one", "single"), ("two", "accelerate")):
        given = (*more, "expert_mode=random", "stage.learning_rate=1e-3", f"launcher={launcher}")
        ended = run("train", *rest, *given, f"hydra.run.dir={folder}")
        assert ended.code == 0, ended.err
    assert played(tmp_path / "one") == played(tmp_path / "two") != {}
    start, one, two = (weights(folder) for folder in (student, tmp_path / "one/model", tmp_path / "two/model"))
    assert (two - one).norm() < 1e-3 * (one - start).norm() > 0


def test_too_many_failures_in_a_process_end_all_with_its_line(run: Run, world: Path, student: Path) -> None:
    more = ("stage.episode_timeout_s=1e-6", "launcher=accelerate")
    ended = run("train", *settings(world, student), *more)
    assert ended.code == 3 and "Traceback" not in ended.err
    assert "of a rollout ended with an error, more than 10 %; the latest was EpisodeTimeout" in ended.err
