"""Preferences from what came of a step, in trees of the small film world."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agentbench.build.prefs import _values
from agentbench.config.prefs import StepPrefs, StepSource
from agentbench.episodes.tally import differ
from agentbench.training_data.rows import PreferenceRow
from agentbench.training_data.transcript import Transcriber
from agentbench.training_data.value_pairs import ValuePairs
from agentbench.types import Branch, Trajectory

from .conftest import ASK, ASTRAY, RIGHT, SEARCH, WRONG, Play, kept_text


def branched(play: Play, at: int, whole: tuple[str, ...], *others: tuple[str, ...]) -> Trajectory:
    """The first lines, played, with the other ones as branches that leave it before step `at`."""
    trunk = play(*whole)
    ways = [play(*lines) for lines in others]
    branches = tuple(
        Branch(way.history.steps[at].decision, way.history.steps[at:], way.end, way.scores) for way in ways
    )
    steps = list(trunk.history.steps)
    steps[at] = dataclasses.replace(steps[at], branches=branches)
    return dataclasses.replace(trunk, history=dataclasses.replace(trunk.history, steps=tuple(steps)))


class Made:
    """The rows of one tree, and what was dropped."""

    def __init__(self, transcriber: Transcriber, trajectory: Trajectory, **settings: Any) -> None:
        prefs = StepPrefs(source=StepSource.VALUES, **settings)
        pairs = ValuePairs(prefs, transcriber, differ, _values)
        self.rows: list[PreferenceRow] = list(pairs.rows(trajectory))
        self.dropped = dict(pairs.dropped)


@pytest.fixture
def tree(play: Play) -> Trajectory:
    """Right after two calls; without the search wrong, and after going astray wrong too."""
    return branched(play, 1, (ASK, SEARCH, RIGHT), (ASK, WRONG), (ASK, ASTRAY, WRONG))


def test_the_way_that_ended_well_is_preferred_in_the_tokens_that_were_sampled(
    transcriber: Transcriber, tree: Trajectory, words
) -> None:
    made = Made(transcriber, tree)
    texts = [kept_text(words, row.rejected_ids, row.rejected_mask) for row in made.rows]
    assert texts == [WRONG + "<|end|>", ASTRAY + "<|end|>"]
    assert {kept_text(words, row.chosen_ids, row.chosen_mask) for row in made.rows} == {SEARCH + "<|end|>"}
    assert [(row.kind, row.margin) for row in made.rows] == [("call_over_final", 1.0), ("call_over_call", 1.0)]
    assert made.dropped == {"both are worth the same": 1}
    said = tree.history.steps[1].decision.generations[0]
    assert all(row.prompt_ids[: len(said.prompt_ids)] == said.prompt_ids for row in made.rows)


def test_a_value_is_the_mean_over_the_leaves_below(play: Play, transcriber: Transcriber) -> None:
    inner = branched(play, 2, (ASK, SEARCH, RIGHT), (ASK, SEARCH, WRONG))
    way = play(ASK, WRONG)
    outer = Branch(way.history.steps[1].decision, way.history.steps[1:], way.end, way.scores)
    steps = list(inner.history.steps)
    steps[1] = dataclasses.replace(steps[1], branches=(outer,))
    whole = dataclasses.replace(inner, history=dataclasses.replace(inner.history, steps=tuple(steps)))
    # The search led to one right answer of two, answering at once to none of one; of the two answers one was right.
    margins = [row.margin for row in Made(transcriber, whole).rows]
    assert margins == [0.5, 1.0]
    assert [row.margin for row in Made(transcriber, whole, value_margin=0.6).rows] == [1.0]
    assert Made(transcriber, whole, fewest_leaves=2).dropped == {"a side has too few leaves": 2}


def test_a_side_whose_leaves_failed_makes_no_pair(transcriber: Transcriber, tree: Trajectory) -> None:
    steps = list(tree.history.steps)
    lost = tuple(dataclasses.replace(branch, scores=()) for branch in steps[1].branches)
    steps[1] = dataclasses.replace(steps[1], branches=lost)
    whole = dataclasses.replace(tree, history=dataclasses.replace(tree.history, steps=tuple(steps)))
    made = Made(transcriber, whole)
    assert made.rows == [] and made.dropped == {"a side has no value: its leaves failed or were not scored": 3}


def test_a_trajectory_without_branches_makes_none(play: Play, transcriber: Transcriber) -> None:
    made = Made(transcriber, play(ASK, SEARCH, RIGHT))
    assert made.rows == [] and made.dropped == {"trajectories without branches": 1}
