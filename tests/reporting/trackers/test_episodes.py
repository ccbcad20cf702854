"""What a tracker is shown of a run of episodes."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.reporting.trackers.episodes import LONGEST_TEXT, EpisodeWatch, cut, episode_row
from agentbench.types import (
    Actor,
    Decision,
    EndReason,
    Final,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    Trajectory,
)
from tests.conftest import Call
from tests.reporting.trackers.conftest import Noted


@pytest.fixture
def episode(film_task: Task, call: Call) -> Trajectory:
    """The expert looks up, the agent answers rightly; a key is in what is observed."""
    look_up = Decision(call("get_film_director", title="Robbery"), Actor.EXPERT)
    steps = (
        Step(look_up, Observation("Jack Lee, key sk-123456789"), StepCategory.GOLD_CALL),
        Step(Decision(Final("Stroud")), Observation(""), StepCategory.CORRECT_FINAL),
    )
    return Trajectory(film_task, History((), Observation("?"), steps), EndReason.FINAL, (Score("answer", 1.0),))


def test_curves_hold_the_shares_so_far(episode: Trajectory) -> None:
    noted = Noted()
    watch = EpisodeWatch(noted, 0, 2, lambda text: text)
    watch(episode)
    watch(dataclasses.replace(episode, scores=(), end=EndReason.ERROR, error="LlmError: gone"))
    assert [step for step, _ in noted.points] == [1, 2]
    expected = {"success": 0.5, "steps_per_episode": 2.0, "expert_share": 0.5, "errors": 1}
    assert noted.points[1][1] == {f"running/{name}": value for name, value in expected.items()}


def test_a_long_run_has_few_points_and_its_last_one(episode: Trajectory) -> None:
    noted = Noted()
    watch = EpisodeWatch(noted, 3, 2000, lambda text: text)
    for _ in range(1995):
        watch(episode)
    watch.finish()
    assert [step for step, _ in noted.points] == [*range(10, 1991, 10), 1995]
    assert len(noted.tables["trajectories"].rows) == 3


def test_every_episode_has_the_same_chance_to_be_shown(episode: Trajectory) -> None:
    shown = 0
    for run in range(400):
        noted = Noted()
        watch = EpisodeWatch(noted, 2, 8, lambda text: text)
        watch._random.seed(run)
        for number in range(8):
            watch(dataclasses.replace(episode, task=dataclasses.replace(episode.task, id=str(number))))
        watch.finish()
        shown += sum(row[0] == "7" for row in noted.tables["trajectories"].rows)
    assert 70 <= shown <= 130  # 400 · 2/8 = 100, standard deviation √(400 · 1/4 · 3/4) = 8.7


def test_an_episode_is_shown_without_what_must_not_be_seen(episode: Trajectory) -> None:
    row = episode_row(episode, lambda text: text.replace("sk-123456789", "…"))
    assert row[:6] == ("films-1", "films", True, "final", 2, 1)
    assert row[6:8] == ("Where was the director of Robbery born?", "Stroud")
    assert row[8] == ("expert: get_film_director({'title': 'Robbery'})\n→ Jack Lee, key …\nagent: answers Stroud\n→ ")


def test_long_texts_are_cut_and_say_so() -> None:
    assert cut("a" * (LONGEST_TEXT + 1500)) == "a" * LONGEST_TEXT + "… (1,500 more characters)"
