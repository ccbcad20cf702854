"""Values worked out by hand on small trees.

root ─ a ─ b ─ (solved)
    │     └ c ─ (not solved)
    │     └ d ─ (error)
    └ e ─ f ─ (not solved)
          └ g ─ (solved)
"""

from __future__ import annotations

from typing import NamedTuple

import pytest

from agentbench.episodes.state_values import Estimate, StepValue, advantages, root_value, state_values
from agentbench.types import (
    Answer,
    AnswerType,
    Branch,
    Decision,
    EndReason,
    Final,
    Gold,
    History,
    Observation,
    Score,
    Step,
    StepCategory,
    Task,
    Trajectory,
    Turn,
)

TASK = Task("t", "m3", "films", (Turn("q", Gold(Answer(AnswerType.TEXT, "x"))),))


def step(name: str, *branches: Branch) -> Step:
    return Step(Decision(Final(name)), Observation(""), StepCategory.WRONG_FINAL, branches=branches)


def branch(value: float | None, *steps: Step, end: EndReason = EndReason.FINAL) -> Branch:
    scores = () if value is None else (Score("policy", 1.0), Score("answer", value))
    return Branch(steps[0].decision, steps, end, scores)


def tree(value: float | None, *steps: Step, end: EndReason = EndReason.FINAL) -> Trajectory:
    scores = () if value is None else (Score("answer", value),)
    return Trajectory(TASK, History((), Observation("q"), steps), end, scores)


class Drawn(NamedTuple):
    """The tree above."""

    whole: Trajectory
    steps: dict[str, Step]

    def value(self, name: str) -> StepValue:
        return state_values(self.whole)[id(self.steps[name])]


@pytest.fixture
def drawn() -> Drawn:
    c, d, g = step("c"), step("d"), step("g")
    f = step("f", branch(1.0, g))
    e = step("e")
    a = step("a", branch(0.0, e, f))
    b = step("b", branch(0.0, c), branch(None, d, end=EndReason.ERROR))
    named = {
        each.decision.action.answer: each for each in (a, b, c, d, e, f, g) if isinstance(each.decision.action, Final)
    }
    return Drawn(tree(1.0, a, b), named)


def test_a_state_is_worth_the_mean_over_all_leaves_below_it(drawn: Drawn) -> None:
    # Below the root: b solved, c not, f not, g solved, and d, which failed, does not count.
    assert drawn.value("a").state == drawn.value("e").state == root_value(drawn.whole) == Estimate(2 / 4, 4)
    assert drawn.value("b").state == drawn.value("c").state == Estimate(1 / 2, 2)
    assert drawn.value("f").state == drawn.value("g").state == Estimate(1 / 2, 2)


def test_a_step_is_worth_the_mean_over_the_leaves_reached_through_it(drawn: Drawn) -> None:
    worth = {name: drawn.value(name).step for name in "abcefg"}
    assert worth == {
        **{"a": Estimate(1 / 2, 2), "b": Estimate(1.0, 1), "c": Estimate(0.0, 1)},
        **{"e": Estimate(1 / 2, 2), "f": Estimate(0.0, 1), "g": Estimate(1.0, 1)},
    }


def test_the_advantage_is_the_steps_value_less_its_states(drawn: Drawn) -> None:
    found = advantages(drawn.whole)
    told = {name: found[id(each)] for name, each in drawn.steps.items() if id(each) in found}
    assert told == {"a": 0.0, "b": 0.5, "c": -0.5, "e": 0.0, "f": -0.5, "g": 0.5}


def test_a_leaf_that_failed_or_was_not_scored_has_no_value(drawn: Drawn) -> None:
    assert drawn.value("d") == StepValue(Estimate(1 / 2, 2), Estimate(None, 0))
    assert drawn.value("d").advantage is None
    unscored = tree(None, step("a"))
    assert root_value(unscored) == Estimate(None, 0) and advantages(unscored) == {}
    assert root_value(tree(1.0, step("a"), end=EndReason.ERROR)) == Estimate(None, 0)


def test_a_half_right_answer_is_not_a_success_and_a_truncated_leaf_counts() -> None:
    assert root_value(tree(0.5, step("a"))) == Estimate(0.0, 1)
    assert root_value(tree(0.0, step("a"), end=EndReason.HORIZON)) == Estimate(0.0, 1)


def test_without_branches_every_advantage_is_zero() -> None:
    whole = tree(1.0, step("a"), step("b"))
    assert list(advantages(whole).values()) == [0.0, 0.0]


def test_branches_of_a_branchs_first_step_are_ways_out_of_the_same_state() -> None:
    inner = branch(1.0, step("c"))
    whole = tree(0.0, step("a", branch(0.0, step("b", inner))))
    found = state_values(whole)
    # Three ways out of the root, one of them solved.
    assert {value.state for value in found.values()} == {Estimate(1 / 3, 3)} and len(found) == 3
    assert found[id(inner.steps[0])].advantage == pytest.approx(2 / 3)


def test_a_trajectory_without_steps_is_worth_its_own_score() -> None:
    assert root_value(tree(1.0)) == Estimate(1.0, 1)
