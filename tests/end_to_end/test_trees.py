"""Trees of trajectories by the commands a user types, with a real student: made, stopped, gone on with, trained on."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.build.runs import rollout
from agentbench.config.agent import ChatAgent
from agentbench.config.branching import BranchesConfig, Branching
from agentbench.config.entry import RolloutConfig
from agentbench.config.env import M3Env
from agentbench.config.expert_mode import InformedExpert, NoExpert
from agentbench.config.model import TinyModel
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.tasks import TasksConfig
from agentbench.config.template import TemplateConfig, TemplateKind
from agentbench.episodes.branch_points import branch_seed
from agentbench.episodes.pool import run_async
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.llm import Prompt, Request, Sampling
from agentbench.policies.chat import step_seed
from agentbench.training_data.rows import read_preferences
from agentbench.types import Actor, Branch, Generation, Step, Trajectory

from .conftest import Run, command, environment

MAX_TOKENS = 24
TASKS = (
    "tasks.limit=30",
    "tasks.split=train",
    "agent.temperature=1",
    "env.horizon=6",
    f"model.max_tokens={MAX_TOKENS}",
)


def config(world: Path, student: Path, branching: Branching, **changes: Any) -> RolloutConfig:
    branches = BranchesConfig(depth=2, width=2)
    settings: dict[str, Any] = {
        "model": TinyModel(path=student, max_tokens=MAX_TOKENS),
        "template": TemplateConfig(kind=TemplateKind.TINY),
        "agent": ChatAgent(temperature=1.0),
        "env": M3Env(worlds=(str(world),), horizon=5, branching=branching, branches=branches),
        "expert_mode": NoExpert(),
        "retriever": Bm25Retriever(),
        "tasks": TasksConfig(limit=8),
        "rewards": RewardsConfig(),
        "cache_dir": student,
    }
    return RolloutConfig(**{**settings, **changes})


def played(settings: RolloutConfig, folder: Path) -> list[Trajectory]:
    run_async(rollout(settings, lambda line: None).play(folder))
    return sorted(read_trajectories(folder / TRAJECTORIES), key=lambda one: one.task.id)


def branches(steps: tuple[Step, ...], before: int = 0) -> Iterator[tuple[int, Branch]]:
    """Every branch, with the number of steps before it."""
    for index, step in enumerate(steps, before):
        for branch in step.branches:
            yield index, branch
            yield from branches(branch.steps, index)


def tokens(steps: tuple[Step, ...]) -> list[Any]:
    """All that was sampled in a tree, with its seeds."""
    return [
        (
            [(item.prompt_ids, item.completion_ids, item.logprobs) for item in step.decision.generations],
            [(branch.seed, tokens(branch.steps)) for branch in step.branches],
            len(step.duplicates),
        )
        for step in steps
    ]


def by_agent(step: Step) -> Generation:
    return next(item for item in step.decision.generations if item.role == Actor.AGENT)


Asked = tuple[Generation, int]
"""What was said, and the seed it was asked with."""


def on_branches(trajectory: Trajectory) -> Iterator[Asked]:
    """All that the agent said where it was alone; a branch's first step is the expert's, or was there already."""
    for before, branch in branches(trajectory.history.steps):
        for index, step in enumerate(branch.steps[1:], before + 1):
            yield by_agent(step), step_seed(branch.seed, index)


def asked_again(trajectory: Trajectory) -> Iterator[Asked]:
    """What the agent said when it was asked again on the executed path, and was not followed."""
    for index, step in enumerate(trajectory.history.steps):
        assert not step.branches, "then the numbers would be others"
        for number, said in enumerate(step.duplicates):
            yield said, step_seed(branch_seed(trajectory.seed, index, number), index)


async def assert_said_again(settings: RolloutConfig, asked: list[Asked]) -> None:
    run = rollout(settings, lambda line: None)
    assert run.cast.agent is not None
    llm, stop = run.cast.agent.model.llm, run.cast.agent.model.template.stop
    sampling = Sampling(temperature=1.0, max_tokens=MAX_TOKENS)
    requests = [Request(Prompt(ids=then.prompt_ids), sampling, seed, stop) for then, seed in asked]
    answers = [await llm.generate(request) for request in requests]
    await run.cast.close()
    ours, theirs = (
        [(item.completion_ids, item.logprobs) for item in side] for side in (answers, [a for a, _ in asked])
    )
    assert ours == theirs and len(ours) > 20


def test_a_branchs_tokens_are_those_of_a_fresh_generation_under_its_seed(
    world: Path, student: Path, tmp_path: Path
) -> None:
    settings = config(world, student, Branching.DIVERGENCE, expert_mode=InformedExpert())
    trees = played(settings, tmp_path)
    asyncio.run(assert_said_again(settings, [each for one in trees for each in on_branches(one)]))


def test_a_sample_is_that_of_a_fresh_generation_under_its_seed(world: Path, student: Path, tmp_path: Path) -> None:
    settings = config(world, student, Branching.RANDOM)  # the student writes nonsense, which all does the same: nothing
    trees = [one for one in played(settings, tmp_path) if not any(step.branches for step in one.history.steps)]
    asyncio.run(assert_said_again(settings, [each for one in trees for each in asked_again(one)]))


@pytest.mark.parametrize(
    ("branching", "mode"), [(Branching.RANDOM, NoExpert()), (Branching.DIVERGENCE, InformedExpert())]
)
def test_the_same_seed_gives_the_same_trees_at_any_concurrency(
    branching: Branching, mode: Any, world: Path, student: Path, tmp_path: Path
) -> None:
    settings = {"expert_mode": mode, "tasks": TasksConfig(limit=5)}
    one, many = (
        played(config(world, student, branching, concurrency=size, **settings), tmp_path / str(size)) for size in (1, 5)
    )
    assert [tokens(each.history.steps) for each in one] == [tokens(each.history.steps) for each in many]
    assert any(step.branches or step.duplicates for each in one for step in each.history.steps)


def test_every_prompt_of_a_tree_goes_on_where_the_path_before_it_ended(
    world: Path, student: Path, tmp_path: Path
) -> None:
    for trajectory in played(config(world, student, Branching.DIVERGENCE, expert_mode=InformedExpert()), tmp_path):
        for path in trajectory.paths():
            said = [item for step in path for item in step.decision.generations if item.role == Actor.AGENT]
            for earlier, later in pairwise(said):
                assert later.prompt_ids[: len(earlier.prompt_ids)] == earlier.prompt_ids


@pytest.mark.slow
def test_a_killed_rollout_of_trees_goes_on_to_the_same_counts(
    run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    chosen = ("env.branching=random", "env.branches.probability=0.5", "env.branches.width=2", "env.branches.depth=2")
    arguments = (*chosen, *TASKS, f"env.worlds=['{world}']", f"model.path='{student}'", "concurrency=2")
    killed, whole = tmp_path / "killed" / TRAJECTORIES, tmp_path / "whole" / TRAJECTORIES
    start = command("rollout", *arguments, "hydra.run.dir=killed")
    with subprocess.Popen(start, cwd=tmp_path, env=environment(), stdout=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 100
        while not killed.exists() or killed.read_bytes().count(b"\n") < 5:
            assert running.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        running.kill()
    assert 5 <= len(list(read_trajectories(killed))) < 30
    for ended in (run("rollout", *arguments, "resume=killed"), run("rollout", *arguments, "hydra.run.dir=whole")):
        assert (ended.code, "branches: " in ended.out) == (0, True)
    found = [{one.task.id: tokens(one.history.steps) for one in read_trajectories(each)} for each in (killed, whole)]
    assert found[0] == found[1] and len(found[0]) == 30
    sums = [orjson.loads((each.parent / "summary.json").read_bytes())["branching"] for each in (killed, whole)]
    assert sums[0] == sums[1] and sums[0]["branches"] + sums[0]["duplicates"] > 30


@pytest.mark.slow
def test_trees_become_preferences_by_value_and_train_packed(
    run: Run, world: Path, student: Path, tmp_path: Path
) -> None:
    chosen = ("env.branching=divergence", "expert_mode=informed", "env.branches.depth=2", f"env.worlds=['{world}']")
    assert run("rollout", *chosen, *TASKS, f"model.path='{student}'", "hydra.run.dir=trees").code == 0
    given = ("prefs.source=values", "trajectories=[trees/trajectories.jsonl]", f"tokenizer='{student}'")
    built = run("build_prefs", *given, "hydra.run.dir=prefs")
    assert (built.code, built.err) == (0, "")
    rows = list(read_preferences(tmp_path / "prefs" / "rows.jsonl"))
    assert rows and all(row.margin > 0 for row in rows)
    model = ("model=hf", f"model.path='{student}'", "template=tiny", "lora=none")
    trained = run("train", "stage=dpo", *model, "rows=[prefs/rows.jsonl]", "stage.batch_size=8")
    assert trained.code == 0 and "tree packing on: " in trained.out
