"""What holds for the rows of any episode, played by agents that act at random and experts that step in at random."""

from __future__ import annotations

import dataclasses
from random import Random

import pytest

from agentbench.config.prefs import SftPrefs, StepPrefs, TrajectoryPrefs
from agentbench.episodes.tally import differ
from agentbench.policies.triggers import Coin
from agentbench.templates.tiny import Tiny
from agentbench.training_data.step_pairs import StepPairs
from agentbench.training_data.supervised import Supervised
from agentbench.training_data.trajectory_pairs import TrajectoryPairs, Walks
from agentbench.types import Score, Step, Trajectory

from .conftest import ASK, ASTRAY, NONSENSE, OTHER_WORDS, RIGHT, SEARCH, WRONG, kept_text

LINES = (ASK, ASTRAY, NONSENSE, OTHER_WORDS, RIGHT, SEARCH, WRONG)
SEEDS = range(12)


@pytest.fixture
def episode(play):
    """`episode(seed)`: six random lines, and an expert that takes every other step or so."""

    def made(seed: int) -> Trajectory:
        rng = Random(seed)
        return play(*rng.choices(LINES, k=6), trigger=Coin(0.4, rng))

    return made


def said(step: Step) -> str:
    return "".join(piece.text for piece in Tiny().action(step.decision.action))


@pytest.mark.parametrize("seed", SEEDS)
def test_what_carries_loss_is_the_actions_of_the_actors_and_nothing_else(
    episode, transcriber, words, seed: int
) -> None:
    solved = dataclasses.replace(episode(seed), scores=(Score("answer", 1.0),))
    (row,) = Supervised(SftPrefs(), transcriber).rows(solved)
    assert kept_text(words, row.input_ids, row.completion_mask) == "".join(map(said, solved.history.steps))


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_of_a_step_pair_go_on_from_the_prompt_of_that_step(episode, transcriber, seed: int) -> None:
    trajectory = episode(seed)
    served = [step.decision.generations[0] for step in trajectory.history.steps]
    prompts = {said.prompt_ids: said.completion_ids for said in served}
    for row in StepPairs(StepPrefs(), transcriber, differ).rows(trajectory):
        assert prompts[row.prompt_ids] == row.rejected_ids != row.chosen_ids
        assert set(row.chosen_mask) == set(row.rejected_mask) == {1}


@pytest.mark.parametrize("seed", SEEDS)
def test_both_sides_of_a_trajectory_pair_are_episodes_that_were_played(episode, transcriber, words, seed: int) -> None:
    config = TrajectoryPrefs()
    episodes = [episode(seed), episode(seed + 100)]
    walks = [walk for one in episodes for walk in Walks(config, transcriber).walks(one, 0)]
    texts = ["".join(map(said, one.history.steps)) for one in episodes]
    for row in TrajectoryPairs(config, False, 0).rows(walks):
        sides = [
            kept_text(words, row.chosen_ids, row.chosen_mask),
            kept_text(words, row.rejected_ids, row.rejected_mask),
        ]
        assert sorted(sides) == sorted(texts)
