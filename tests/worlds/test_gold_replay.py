"""The gold expert solves every task at every granularity."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter

import pytest

from agentbench.config.env import Granularity
from agentbench.config.tasks import Split
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.policies.gold_expert import GoldExpert
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.turns import with_given_turns
from agentbench.types import AnswerType, StepCategory, Task, Trajectory
from agentbench.worlds.embedded import EMBEDDED
from agentbench.worlds.hops import Drop
from agentbench.worlds.replay import Replay

GRADE = StepGrader(dict.fromkeys(StepCategory, 0.0))
EXPECTED = {StepCategory.GOLD_CALL, StepCategory.CORRECT_FINAL, StepCategory.CORRECT_REFUSAL}


async def play(task: Task, replay: Replay, granularity: Granularity) -> Trajectory:
    env = ToolEnv(replay.tools(granularity), enforce_rules=True)
    parts = EpisodeParts(env, GoldExpert(task), GRADE, [AnswerScorer()])
    return await run_episode(task, parts, Limits(horizon=12, timeout_s=60.0), seed=0)


@pytest.mark.parametrize("granularity", Granularity)
@pytest.mark.parametrize("name", EMBEDDED)
def test_the_gold_expert_solves_every_task_with_gold_calls_only(worlds, name: str, granularity: Granularity):
    async def play_all(replay: Replay) -> list[Trajectory]:
        return [await play(task, replay, granularity) for task in worlds.tasks(name, Split.TEST, granularity)]

    with Replay(worlds.by_name[name]) as replay:
        played = asyncio.run(play_all(replay))
    assert [trajectory.task.id for trajectory in played if not trajectory.success] == []
    assert {step.category for trajectory in played for step in trajectory.history.steps} <= EXPECTED


@pytest.mark.parametrize("granularity", Granularity)
@pytest.mark.parametrize("name", EMBEDDED)
def test_the_gold_expert_solves_every_task_whose_earlier_turns_are_given(worlds, name: str, granularity: Granularity):
    several = [task for task in worlds.tasks(name, Split.TEST, granularity) if len(task.turns) > 1]

    async def play_all(replay: Replay) -> list[Trajectory]:
        return [await play(with_given_turns(task), replay, granularity) for task in several]

    with Replay(worlds.by_name[name]) as replay:
        played = asyncio.run(play_all(replay))
    assert len(played) >= 18  # of 120 tasks, 18.2 % have several turns
    assert [trajectory.task.id for trajectory in played if not trajectory.success] == []
    assert {step.category for trajectory in played for step in trajectory.history.steps} <= EXPECTED
    assert all(trajectory.history.earlier == trajectory.task.earlier != () for trajectory in played)


def test_a_wrong_gold_answer_does_not_pass_the_replay(worlds):
    tasks = worlds.tasks("films", Split.TRAIN)
    task = next(task for task in tasks if task.turns[0].gold.answer.type is AnswerType.NUMBER and len(task.turns) == 1)
    text = task.turns[0].gold.answer
    wrong = replace_answer(task, type(text)(text.type, float(text.value) + 1))
    with Replay(worlds.by_name["films"]) as replay, pytest.raises(Drop):
        asyncio.run(replay.check(wrong, Granularity.REST))


def replace_answer(task: Task, answer: object) -> Task:
    gold = dataclasses.replace(task.turns[0].gold, answer=answer)
    return dataclasses.replace(task, turns=(dataclasses.replace(task.turns[0], gold=gold),))


def test_no_answer_is_right_more_often_than_one_time_in_ten(worlds):
    answers = Counter(
        str(turn.gold.answer.value)
        for name in EMBEDDED
        for task in worlds.tasks(name, Split.TEST)
        for turn in task.turns
        if turn.gold.answer.type is not AnswerType.UNANSWERABLE
    )
    assert answers.most_common(1)[0][1] < answers.total() / 10
