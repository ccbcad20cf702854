"""A counting game: the agent calls `add` until it reached the goal, then says the number.

What a task's id starts with decides what goes wrong: `broken` (the environment raises in step 3), `hanging` (step 3
never comes back), `dead` (the model server answers nothing), `endless` (the agent never stops counting).
`counting_run.py` plays it in a process of its own.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from agentbench.envs import EnvStep, Restoring
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.errors import LlmError
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    Final,
    Generation,
    Gold,
    History,
    Observation,
    StepCategory,
    Task,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
)

ADD = CallTools((ToolCall("add", {"by": 1}),))


class CountingEnv:
    """Counts; pays 0.5 for each step."""

    tools = (ToolSpec("add", "Adds.", {"type": "object", "properties": {"by": {"type": "integer"}}}),)

    def __init__(self, pause_s: float = 0.0, restoring: Restoring = Restoring.FORK) -> None:
        self.count = 0
        self.closed = False
        self.restoring = restoring
        self._pause_s = pause_s
        self._task_id = ""

    async def reset(self, task: Task) -> Observation:
        self._task_id = task.id
        return Observation(task.turns[0].query)

    async def step(self, action: Action) -> EnvStep:
        await asyncio.sleep(self._pause_s)
        if self.count == 2 and self._task_id.startswith("broken"):
            raise RuntimeError("the counter jammed")
        if self.count == 2 and self._task_id.startswith("hanging"):
            await asyncio.sleep(60)
        if isinstance(action, Final):
            return EnvStep(Observation(""), 0.5, terminated=True)
        self.count += 1
        return EnvStep(Observation(str(self.count)), 0.5)

    async def fork(self) -> CountingEnv:
        twin = CountingEnv(self._pause_s)
        twin.count, twin._task_id = self.count, self._task_id
        return twin

    def evidence(self) -> dict[str, Any]:
        return {"count": self.count, "closed": self.closed}

    async def close(self) -> None:
        self.closed = True


class CountingAgent:
    """Calls `add` as often as the query says; its thoughts come from the episode's seed."""

    def __init__(self, task: Task, seed: int) -> None:
        self._goal = 10**9 if task.id.startswith("endless") else int(task.turns[0].query)
        self._dead = task.id.startswith("dead")
        self._rng = random.Random(seed)

    async def act(self, history: History) -> Decision:
        await asyncio.sleep(0)
        if self._dead:
            raise LlmError("no answer from http://127.0.0.1:1/v1")
        done, thought = len(history.steps), str(self._rng.random())
        action = ADD if done < self._goal else Final(str(done), thought)
        ids = tuple(range(10 + 5 * done))
        generation = Generation("agent", thought, ids, (1, 2), (-0.25, -0.5), usage=Usage(len(ids), 2))
        return Decision(action, generations=(generation,))


def counting_task(task_id: str, goal: int = 3, **data: Any) -> Task:
    gold = Gold(Answer(AnswerType.NUMBER, float(goal)))
    return Task(task_id, "counting", "numbers", (Turn(str(goal), gold),), data=data)


def counting_parts(task: Task, seed: int, pause_s: float = 0.0) -> EpisodeParts:
    grade = StepGrader({category: 0.25 for category in StepCategory})
    return EpisodeParts(CountingEnv(pause_s), CountingAgent(task, seed), grade, (AnswerScorer(),))


@pytest.fixture
def make_task() -> Callable[..., Task]:
    """`make_task(id, goal=3, **data)`."""
    return counting_task


@pytest.fixture
def make_parts() -> Callable[..., EpisodeParts]:
    """`make_parts(task, seed)`."""
    return counting_parts
