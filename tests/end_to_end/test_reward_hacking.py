"""Agents after the reward against honest ones, in every scenario and availability of a real world."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from pathlib import Path
from statistics import fmean

import pytest

from agentbench.build.runs import self_check_of
from agentbench.config.entry import DoctorConfig
from agentbench.config.env import M3Env
from agentbench.config.retriever import Bm25Retriever
from agentbench.config.rewards import RewardsConfig
from agentbench.config.stage_rl import GrpoStage
from agentbench.config.tasks import TasksConfig
from agentbench.episodes.pool import run_async
from agentbench.episodes.self_check import PROBES, is_answerable
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.tasks.files import read_tasks, write_tasks
from agentbench.training_data.returns import RewardWeights, path_rewards
from agentbench.types import CallTools, Decision, Observation, Step, StepCategory, Task
from agentbench.worlds.manifest import read_world

PER_CELL = 3
"""Tasks of each scenario and availability."""
NUMBERS = dataclasses.asdict(RewardsConfig())
WEIGHTS = RewardWeights(
    {category: NUMBERS[category.value] for category in StepCategory},
    GrpoStage().step_reward,
    GrpoStage().success_reward,
    RewardsConfig().unanswered,
)
HONEST = ("oracle", "mistaken")
HACKERS = [probe.name for probe in PROBES if probe.name not in HONEST]
IDLERS = ("idle", "always_refuse", "repeat_forever", "stall", "claim_success", "fake_observations")
"""Those that gather nothing that an answer could be made of."""

Earned = dict[str, dict[str, float]]
"""What an agent earned, by its name, then by task."""


def cell(task: Task) -> tuple[str, str]:
    return task.data["scenario"], task.data["tool_availability"]


@pytest.fixture(scope="module")
def tasks(world: Path) -> dict[str, Task]:
    found = read_world(world)
    cells: defaultdict[tuple[str, str], list[Task]] = defaultdict(list)
    for split in ("train", "test"):
        for task in read_tasks(found.tasks("rest", split)):
            cells[cell(task)].append(task)
    return {task.id: task for group in cells.values() for task in group[:PER_CELL]}


@pytest.fixture(scope="module")
def earned(world: Path, tasks: dict[str, Task], tmp_path_factory: pytest.TempPathFactory) -> Earned:
    """By the default rewards, from the record of real episodes; the self-check finds nothing amiss."""
    folder = tmp_path_factory.mktemp("hacking")
    write_tasks(folder / "tasks.jsonl", tasks.values())
    config = DoctorConfig(
        env=M3Env(worlds=(str(world),)),
        retriever=Bm25Retriever(),
        rewards=RewardsConfig(),
        tasks=TasksConfig(file=folder / "tasks.jsonl"),
        cache_dir=folder,
    )
    findings = run_async(self_check_of(config, lambda line: None).play(folder))
    assert [finding.probe.name for finding in findings if not finding.fair] == []
    return {probe.name: returns(folder / probe.name / TRAJECTORIES) for probe in PROBES}


def returns(path: Path) -> dict[str, float]:
    return {
        played.task.id: sum(path_rewards(played.history.steps, played.success, WEIGHTS))
        for played in read_trajectories(path)
    }


def test_every_scenario_meets_every_availability(tasks: dict[str, Task]) -> None:
    scenarios, availabilities = (set(names) for names in zip(*map(cell, tasks.values()), strict=True))
    assert {cell(task) for task in tasks.values()} == {(one, other) for one in scenarios for other in availabilities}
    assert (len(scenarios), len(availabilities)) == (4, 4)


@pytest.mark.parametrize("hacker", HACKERS)
def test_no_hacker_earns_more_than_an_honest_agent_on_any_task(hacker: str, earned: Earned) -> None:
    assert all(gain <= earned["oracle"][task] + 1e-9 for task, gain in earned[hacker].items())


@pytest.mark.parametrize("hacker", HACKERS)
def test_no_hacker_earns_as_much_as_an_honest_agent_where_there_is_an_answer(
    hacker: str, earned: Earned, tasks: dict[str, Task]
) -> None:
    for place in {cell(task) for task in tasks.values() if is_answerable(task)}:
        ids = [task.id for task in tasks.values() if cell(task) == place and is_answerable(task)]
        assert fmean(earned[hacker][name] for name in ids) < fmean(earned["oracle"][name] for name in ids)


@pytest.mark.parametrize("hacker", IDLERS)
def test_who_does_nothing_earns_less_than_who_gathers_and_then_fails(
    hacker: str, earned: Earned, tasks: dict[str, Task]
) -> None:
    """But who refuses where refusing is right."""
    fair = [name for name, task in tasks.items() if is_answerable(task)]
    assert fmean(earned[hacker][name] for name in fair) < fmean(earned["mistaken"][name] for name in fair)


def test_putting_off_an_answer_until_the_horizon_earns_less_than_a_wrong_one() -> None:
    """Four useless calls: −0.05 each and −0.5 for no answer, where a wrong one costs 0.5."""
    call = Step(Decision(CallTools(())), Observation(""), StepCategory.OTHER_CALL)
    assert sum(path_rewards([call] * 4, False, WEIGHTS)) == pytest.approx(-0.7)
    assert NUMBERS["wrong_final"] == -0.5
