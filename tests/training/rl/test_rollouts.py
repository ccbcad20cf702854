"""Which tasks are played when, and what is made of the episodes."""

from __future__ import annotations

import dataclasses
import math

import pytest

from agentbench.training.rl.batch import Rules, chunks, episodes_of, figures
from agentbench.training.rl.playing import Clocks
from agentbench.training.rl.rollouts import sample_numbers, tasks_at
from agentbench.training_data.returns import RewardWeights
from agentbench.types import EndReason, StepCategory
from tests.training.rl.conftest import groups
from tests.training_data.episodes_for_rl import task, two_steps

WEIGHTS = RewardWeights(dict.fromkeys(StepCategory, 0.0))
TASKS = [task(f"t{number}") for number in range(7)]


def test_a_pass_over_the_tasks_plays_each_once_in_an_order_of_its_own() -> None:
    """Seven tasks, three at a time: two steps and one task left over."""
    passes = [[one.id for step in steps for one in tasks_at(step, TASKS, 3, seed=0)] for steps in ((0, 1), (2, 3))]
    assert [len(set(names)) for names in passes] == [6, 6]
    assert passes[0] != passes[1]


def test_the_tasks_of_a_step_do_not_depend_on_what_was_played_before() -> None:
    assert tasks_at(5, TASKS, 3, seed=1) == tasks_at(5, TASKS, 3, seed=1)
    assert tasks_at(5, TASKS, 3, seed=1) != tasks_at(5, TASKS, 3, seed=2)


def test_no_two_steps_share_a_sample_and_with_it_a_seed() -> None:
    assert [*sample_numbers(0, 3), *sample_numbers(1, 3)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("rows", [0, 1, 7, 8])
def test_stretches_hold_every_row_once_and_differ_by_one_at_most(rows: int) -> None:
    parts = chunks(rows, 3)
    assert [index for part in parts for index in part] == list(range(rows))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_failed_episode_is_left_out_and_counted() -> None:
    failed = dataclasses.replace(two_steps(False), end=EndReason.ERROR, scores=(), sample=9)
    episodes = episodes_of([two_steps(True), two_steps(False, sample=1), failed], Rules(WEIGHTS, 100, True))
    assert (episodes.counts.errors, episodes.returns) == (1, [[1.0, 0.0]])
    assert figures([two_steps(True), failed], episodes)["success"] == 1.0, "of the episodes that ended"


def test_a_group_that_earned_the_same_is_dead() -> None:
    alike = [two_steps(True, of="same", sample=number) for number in range(2)]
    episodes = episodes_of([*groups(), *alike], Rules(WEIGHTS, 100, drop_equal=True))
    assert (episodes.counts.groups, episodes.counts.dead_groups, len(episodes.groups)) == (3, 1, 2)
    assert figures(groups() + alike, episodes)["dead_groups"] == pytest.approx(1 / 3)


def test_figures_of_a_rollout_in_which_everything_failed_say_so() -> None:
    failed = [dataclasses.replace(one, end=EndReason.ERROR, scores=()) for one in groups()]
    made = figures(failed, episodes_of(failed, Rules(WEIGHTS, 100, True)))
    assert made["errors"] == 8 and math.isnan(made["reward"]) and made["rows"] == 0


def test_time_belongs_to_the_innermost_block() -> None:
    clocks = Clocks()
    with clocks.running("train"), clocks.running("rollout"):
        sum(range(200_000))
    found = clocks.read()
    assert found["rollout_cpu_seconds"] > found["train_cpu_seconds"] >= 0.0
    assert clocks.read()["rollout_cpu_seconds"] == 0.0
