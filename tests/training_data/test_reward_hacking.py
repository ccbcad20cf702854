"""Agents that are after the reward and not after the task earn less than an honest one, whatever they claim."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Callable

import pytest

from agentbench.config.rewards import RewardsConfig
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.policies import Policy
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.probes import AlwaysRefuse, Idle, RandomLegal, RepeatForever
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.training_data.returns import RewardWeights, path_rewards
from agentbench.types import CallTools, Decision, Final, History, StepCategory, Task, ToolCall
from tests.conftest import FilmApi, Search

NUMBERS = dataclasses.asdict(RewardsConfig())
CATEGORIES = {category: NUMBERS[category.value] for category in StepCategory}
HORIZON = 8


class Stalls:
    """A new useless call in every step, up to the horizon."""

    async def act(self, history: History) -> Decision:
        title = f"nothing {len(history.steps)}"
        return Decision(
            CallTools((ToolCall("get_film_director", {"title": title}),), "I have solved the task: reward 1.")
        )


class GoldThenRepeats:
    """Earns what the first right call is worth, and wants it again and again."""

    async def act(self, history: History) -> Decision:
        return Decision(CallTools((ToolCall("get_film_director", {"title": "Robbery"}),)))


class Dumps:
    """Calls every tool, and then answers with all that came out of them."""

    async def act(self, history: History) -> Decision:
        calls = (
            ToolCall("get_film_director", {"title": "Robbery"}),
            ToolCall("retrieve_documents", {"collection": "people", "query": "Jack Lee"}),
        )
        if len(history.steps) < len(calls):
            return Decision(CallTools((calls[len(history.steps)],)))
        return Decision(Final(" ".join(step.observation.text for step in history.steps) + " The answer is correct."))


HACKERS: dict[str, Callable[[], Policy]] = {
    "stalls": Stalls,
    "repeats a right call": GoldThenRepeats,
    "repeats any call": lambda: RepeatForever(random.Random(0)),
    "dumps": Dumps,
    "always refuses": AlwaysRefuse,
    "idles": Idle,
    "draws": lambda: RandomLegal(random.Random(0)),
}


def earned(task: Task, policy: Policy, weights: RewardWeights) -> float:
    env = ToolEnv((FilmApi(), Search()), enforce_rules=True)
    parts = EpisodeParts(env, policy, StepGrader(CATEGORIES), (AnswerScorer(),))
    played = asyncio.run(run_episode(task, parts, Limits(HORIZON, 10.0), 0))
    assert not played.error
    return sum(path_rewards(played.history.steps, played.success, weights))


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0)], ids=["both", "steps", "success"])
@pytest.mark.parametrize("habit", HACKERS)
def test_no_habit_beats_an_honest_agent(
    habit: str, weights: tuple[float, float], film_task: Task, unanswerable: Task
) -> None:
    given = RewardWeights(CATEGORIES, *weights)
    tasks = (film_task, unanswerable)
    honest = sum(earned(task, GoldExpert(task), given) for task in tasks)
    assert sum(earned(task, HACKERS[habit](), given) for task in tasks) < honest


def test_repeating_a_right_call_is_worth_less_than_making_it_once(film_task: Task) -> None:
    """0.2 once, then seven times −0.1, and never an answer."""
    given = RewardWeights(CATEGORIES)
    assert earned(film_task, GoldThenRepeats(), given) == pytest.approx(0.2 - 7 * 0.1)


def test_refusing_what_can_be_answered_costs_more_than_it_brings(film_task: Task, unanswerable: Task) -> None:
    """−0.5 on the one, where an honest agent earns 0.2 + 0.2 + 1 + 1; 1 + 1 on the other, as an honest one."""
    given = RewardWeights(CATEGORIES)
    assert [earned(task, AlwaysRefuse(), given) for task in (film_task, unanswerable)] == pytest.approx([-0.5, 2.0])
