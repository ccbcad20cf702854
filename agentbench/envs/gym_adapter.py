"""Any environment as a `gymnasium.Env` with texts for observations and actions.

An action is one JSON object: `{"tool": "get_film_year", "arguments": {"title": "Heat"}}` or `{"final": "1995"}`.
Anything else is carried out as malformed text. Observations are ASCII: other characters are written as JSON escapes
(`json.loads('"' + text + '"')` gives them back), so that they lie in a gymnasium `Text` space.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import string
import threading
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

import gymnasium

from agentbench.envs import Environment
from agentbench.templates.calls import read_json
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    Final,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    Task,
    ToolCall,
)

T = TypeVar("T")
Grade = Callable[[Task, History, Action, Observation], tuple[StepCategory, float]]

MAX_CHARS = 100_000
"""Longest observation or action, in characters; longer observations are cut."""


class ToolGymEnv(gymnasium.Env[str, str]):
    """Episodes over a list of tasks; `reset(options={"task": index})` picks one, otherwise the seed does.

    The reward is the environment's own plus the step's graded one. `info` of `reset` and `step` holds the task's id
    and, after a step, its category and outcome.
    """

    def __init__(
        self, tasks: Sequence[Task], make_env: Callable[[Task], Environment], grade: Grade, horizon: int
    ) -> None:
        self.observation_space = gymnasium.spaces.Text(MAX_CHARS, min_length=0, charset=string.printable)
        self.action_space = gymnasium.spaces.Text(MAX_CHARS, min_length=0, charset=string.printable)
        self._tasks = tuple(tasks)
        self._make_env = make_env
        self._grade = grade
        self._horizon = horizon
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ToolGymEnv", daemon=True)
        self._thread.start()
        self._env: Environment | None = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Starts an episode."""
        super().reset(seed=seed)
        chosen = (options or {}).get("task", int(self.np_random.integers(len(self._tasks))))
        if self._env is not None:
            self._run(self._env.close())
        self._task = self._tasks[chosen]
        self._env = self._make_env(self._task)
        opening = self._run(self._env.reset(self._task))
        self._history = History(self._env.tools, opening, earlier=self._task.earlier)
        said = (text for exchange in self._task.earlier for text in (exchange.query, exchange.answer))
        return ascii_text("\n".join((*said, opening.text))), {"task": self._task.id}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Carries out one action given as text.

        Raises:
            gymnasium.error.ResetNeeded: no episode has been started.
        """
        if self._env is None:
            raise gymnasium.error.ResetNeeded("call reset() before step()")
        read = read_action(action)
        answer = self._run(self._env.step(read))
        category, reward = self._grade(self._task, self._history, read, answer.observation)
        step = Step(Decision(read), answer.observation, category, reward)
        self._history = dataclasses.replace(self._history, steps=(*self._history.steps, step))
        truncated = answer.truncated or (not answer.terminated and len(self._history.steps) >= self._horizon)
        info = {"task": self._task.id, "category": category.value, "outcome": answer.observation.outcome.value}
        return ascii_text(answer.observation.text), reward + answer.reward, answer.terminated, truncated, info

    def close(self) -> None:
        """Closes the episode and its event loop."""
        if self._env is not None:
            self._run(self._env.close())
            self._env = None
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, waiting: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine, from a loop of our own: notebooks run one already in this thread."""
        return asyncio.run_coroutine_threadsafe(waiting, self._loop).result()


def read_action(text: str) -> Action:
    """The action a JSON text stands for; `Malformed` when it stands for none."""
    try:
        value = read_json(text)
    except ValueError as error:
        return Malformed(text, str(error))
    match value:
        case {"final": str(answer), **rest} if not rest:
            return Final(answer)
        case {"tool": str(name), "arguments": dict(arguments), **rest} if not rest:
            return CallTools((ToolCall(name, arguments),))
    return Malformed(text, 'neither {"tool": name, "arguments": {…}} nor {"final": answer}')


def ascii_text(text: str) -> str:
    """The text with everything outside printable ASCII as JSON escapes, cut to `MAX_CHARS`."""
    return json.dumps(text)[1:-1][:MAX_CHARS]
