"""One action ends the episode, whatever it is; several calls are one action."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from agentbench.config.rewards import RewardsConfig
from agentbench.envs.single_call import SingleCall
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.errors import DataError
from agentbench.policies import Policy
from agentbench.policies.gold_expert import GoldExpert
from agentbench.scoring.calls import CallsScorer
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.own_tools import tools_data
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    EndReason,
    Final,
    Gold,
    History,
    Malformed,
    Outcome,
    Rule,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Trajectory,
    Turn,
)


class Says:
    """Takes one action again and again."""

    def __init__(self, action: Action) -> None:
        self._action = action

    async def act(self, history: History) -> Decision:
        """The action."""
        return Decision(self._action)


WEATHER = ToolSpec("weather", "Its weather.", {"type": "object", "properties": {}}, ToolKind.FUNCTION)
BOTH = CallTools((ToolCall("weather", {"city": "Oslo"}), ToolCall("weather", {"city": "Rome"})))
TASK = Task(
    "t-1",
    "made",
    "town",
    (Turn("How warm is it in Oslo and Rome?", Gold(Answer(AnswerType.TEXT), (BOTH,))),),
    rules=(Rule("Hint: a city is a name."),),
    data={"tools": tools_data([WEATHER])},
)


def started(task: Task = TASK) -> SingleCall:
    env = SingleCall()
    asyncio.run(env.reset(task))
    return env


def test_the_tasks_own_tools_are_offered_behind_its_rules() -> None:
    env = SingleCall()
    opening = asyncio.run(env.reset(TASK))
    assert env.tools == (WEATHER,)
    assert opening.text == "Hint: a city is a name.\nHow warm is it in Oslo and Rome?"


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        (BOTH, Outcome.OK),
        (Final("Warm."), Outcome.OK),
        (Malformed("<call", "no end"), Outcome.MALFORMED),
        (CallTools(()), Outcome.MALFORMED),
        (CallTools((ToolCall("wether", {}),)), Outcome.UNKNOWN_TOOL),
    ],
)
def test_any_action_ends_the_episode(action: Action, outcome: Outcome) -> None:
    answer = asyncio.run(started().step(action))
    assert answer.terminated and answer.observation.outcome is outcome


def test_a_copy_offers_the_same() -> None:
    assert asyncio.run(started().fork()).tools == (WEATHER,)


@pytest.mark.parametrize("data", [{}, {"tools": [{"name": "weather"}]}, {"tools": "weather"}])
def test_a_task_without_tools_is_named(data: dict) -> None:
    with pytest.raises(DataError, match=r"task 't-1': data\.tools"):
        started(dataclasses.replace(TASK, data=data))


def test_a_task_of_two_turns_is_refused() -> None:
    with pytest.raises(DataError, match="it has 2 turns"):
        started(dataclasses.replace(TASK, turns=TASK.turns * 2))


def episode(policy: Policy) -> Trajectory:
    numbers = dataclasses.asdict(RewardsConfig())
    grade = StepGrader({category: numbers[category.value] for category in StepCategory})
    parts = EpisodeParts(SingleCall(), policy, grade, (CallsScorer(),))
    return asyncio.run(run_episode(TASK, parts, Limits(horizon=1, timeout_s=10.0), seed=0))


def test_the_gold_expert_says_all_calls_at_once_and_is_right() -> None:
    played = episode(GoldExpert(TASK))
    assert played.success and played.end is EndReason.ENV_DONE
    assert [step.category for step in played.history.steps] == [StepCategory.GOLD_CALL]


@pytest.mark.parametrize(
    ("action", "category"),
    [
        (CallTools(BOTH.calls[::-1]), StepCategory.GOLD_CALL),
        (CallTools(BOTH.calls[:1]), StepCategory.OTHER_CALL),
        (CallTools((*BOTH.calls, BOTH.calls[0])), StepCategory.OTHER_CALL),
        (CallTools((ToolCall("wether", {}),)), StepCategory.BAD_CALL),
        (Malformed("<call", "no end"), StepCategory.MALFORMED),
        (Final("Warm."), StepCategory.UNJUDGED_FINAL),
    ],
)
def test_only_all_gold_calls_and_no_others_are_a_gold_step(action: Action, category: StepCategory) -> None:
    played = episode(Says(action))
    assert played.history.steps[0].category is category
    assert played.success is (category is StepCategory.GOLD_CALL)
