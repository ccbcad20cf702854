"""The gymnasium face of an environment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import gymnasium
import pytest
from gymnasium.utils.env_checker import check_env

from agentbench.envs.gym_adapter import ToolGymEnv, ascii_text
from agentbench.envs.tool_env import ToolEnv
from agentbench.scoring.steps import StepGrader
from agentbench.types import StepCategory

REWARDS = {category: float(number) for number, category in enumerate(StepCategory)}


@pytest.fixture
def env(film_tools, film_task, unanswerable) -> Iterator[ToolGymEnv]:
    made = ToolGymEnv([film_task, unanswerable], lambda task: ToolEnv(film_tools, True), StepGrader(REWARDS), horizon=3)
    yield made
    made.close()


def test_gymnasiums_own_check_passes(env: ToolGymEnv) -> None:
    check_env(env, skip_render_check=True)


def test_an_episode_in_json_actions_ends_with_the_graded_reward(env: ToolGymEnv) -> None:
    env.reset(options={"task": 0})
    observation, reward, *_ = env.step('{"tool": "get_film_director", "arguments": {"title": "Robbery"}}')
    assert (json.loads(observation.encode().decode("unicode_escape")), reward) == ({"director": ["Jack Lee"]}, 4.0)
    _, reward, terminated, truncated, info = env.step('{"final": "Stroud"}')
    assert (reward, terminated, truncated, info["category"]) == (0.0, True, False, "correct_final")


def test_the_horizon_truncates(env: ToolGymEnv) -> None:
    env.reset(options={"task": 0})
    ends = [env.step("nonsense")[2:4] for _ in range(3)]
    assert ends == [(False, False), (False, False), (False, True)]


def test_a_step_before_the_first_reset_is_refused(env: ToolGymEnv) -> None:
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step("x")


def test_other_characters_come_back_from_their_escapes() -> None:
    assert json.loads('"' + ascii_text("Žižek says “no”\n") + '"') == "Žižek says “no”\n"


def test_it_works_where_a_loop_is_running_already(env: ToolGymEnv) -> None:
    async def notebook() -> str:
        return env.reset(options={"task": 0})[0]

    assert asyncio.run(notebook()) == "Where was the director of Robbery born?"
