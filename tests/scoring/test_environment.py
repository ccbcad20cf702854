"""What an environment says of itself becomes scores."""

from __future__ import annotations

import dataclasses

import pytest

from agentbench.scoring.environment import EnvironmentScorer
from agentbench.types import Answer, AnswerType, EndReason, Gold, History, Observation, Score, Task, Trajectory, Turn


@pytest.fixture
def played() -> Trajectory:
    """An episode that ended, of a task without a right answer in words."""
    secret = Gold(Answer(AnswerType.TEXT))
    task = Task("shop-1", "shop", "retail", (Turn("Cancel my order.", secret),))
    return Trajectory(task, History((), Observation("Cancel my order.")), EndReason.ENV_DONE)


async def test_the_verdict_and_its_parts_are_scores(played: Trajectory) -> None:
    verdict = {"solved": True, "explanation": "all tables agree", "parts": {"tables": 1.0, "calls": 0.5}}
    scores = await EnvironmentScorer().score(dataclasses.replace(played, evidence={"verdict": verdict}))
    assert scores == (Score("answer", 1.0, "all tables agree"), Score("calls", 0.5), Score("tables", 1.0))


@pytest.mark.parametrize("evidence", [{}, {"verdict": None}, {"verdict": {"solved": "perhaps so"}}])
async def test_without_a_readable_verdict_the_episode_is_unscored(played: Trajectory, evidence: dict) -> None:
    (score,) = await EnvironmentScorer().score(dataclasses.replace(played, evidence=evidence))
    assert score.name == "answer" and score.value is None


async def test_an_environment_that_could_not_judge_leaves_the_episode_unscored(played: Trajectory) -> None:
    verdict = {"solved": None, "explanation": "the evaluator was not there"}
    scores = await EnvironmentScorer().score(dataclasses.replace(played, evidence={"verdict": verdict}))
    assert scores == (Score("answer", None, "the evaluator was not there"),)
