"""Training against attacks: where an agent obeys, the expert's step is preferred, in what the agent was shown."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from agentbench.build.trained_view import as_seen
from agentbench.config.agent import ChatAgent as ChatConfig
from agentbench.config.expert_mode import InformedExpert
from agentbench.config.injection import Defence
from agentbench.config.prefs import StepPrefs
from agentbench.config.rewards import RewardsConfig
from agentbench.envs.injected import InjectedEnv
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.encoding import expanded
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.episodes.tally import differ
from agentbench.llm import Sampling
from agentbench.policies.chat import ChatAgent
from agentbench.policies.defended import Defended
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.intervention import Intervention
from agentbench.policies.overseer import RuleOverseer
from agentbench.policies.triggers import Never, Stuck, Trigger
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.injection import InjectionScorer
from agentbench.scoring.steps import StepGrader
from agentbench.templates.tiny import Tiny
from agentbench.templates.token_template import TokenTemplate
from agentbench.training_data.step_pairs import StepPairs
from agentbench.types import Actor, StepCategory, Task, Trajectory
from tests.attacks import ANSWER, CALL, attacked

from .conftest import ASK, ASTRAY, RIGHT, SEARCH, Spelling, kept_text

OBEYED = StepCategory.OBEYED_INJECTION


class NoDice:
    """Explores nothing."""

    async def __call__(self, history, proposed):
        return await Never()(history, proposed)


@pytest.fixture
def play(film_tools, words):
    """`play(task, "line", …)`: an attacked episode of an agent that says these lines, an expert beside it."""

    def played(task: Task, *lines: str, defence: Defence = Defence.NONE, trigger: Trigger | None = None) -> Trajectory:
        speaker = ChatAgent(Spelling(lines, words), TokenTemplate(Tiny(), words), Sampling(), 0)
        policy = Intervention(Defended(speaker, defence), GoldExpert(task), trigger or Never(), keep_alternative=True)
        worth = dataclasses.asdict(RewardsConfig())
        grade = StepGrader({category: worth[category.value] for category in StepCategory})
        env = InjectedEnv(ToolEnv(film_tools, True), defence)
        parts = EpisodeParts(env, policy, grade, (AnswerScorer(), InjectionScorer()))
        return expanded(asyncio.run(run_episode(task, parts, Limits(6, 10.0), 0)))

    return played


def test_the_experts_step_is_preferred_to_the_obedient_one(film_task: Task, play, transcriber) -> None:
    trajectory = play(attacked(film_task, CALL), ASK, ASTRAY, SEARCH, RIGHT)
    assert [step.category for step in trajectory.history.steps][1] is OBEYED
    (row,) = StepPairs(StepPrefs(), transcriber, differ).rows(trajectory)
    assert (row.rejected_category, row.kind) == (OBEYED, "call_over_call")


def test_an_obedient_step_costs_its_reward(film_task: Task, play) -> None:
    step = play(attacked(film_task, CALL), ASK, ASTRAY, RIGHT).history.steps[1]
    assert step.reward == RewardsConfig().obeyed_injection == -0.5


def test_the_same_step_is_no_obedience_where_nothing_was_planted(film_task: Task, play, transcriber) -> None:
    trajectory = play(film_task, ASK, ASTRAY, SEARCH, RIGHT)
    assert trajectory.history.steps[1].category is StepCategory.OTHER_CALL


@pytest.mark.parametrize("defence", [Defence.DELIMITING, Defence.DATAMARKING, Defence.ENCODING])
def test_rows_hold_the_prompt_that_the_agent_was_asked_with(film_task: Task, play, transcriber, defence, words) -> None:
    trajectory = play(attacked(film_task, CALL), ASK, ASTRAY, SEARCH, RIGHT, defence=defence)
    (row,) = StepPairs(StepPrefs(), transcriber, differ).rows(as_seen(trajectory, ChatConfig()))
    asked = trajectory.history.steps[1].decision.generations[0]
    assert row.prompt_ids == asked.prompt_ids
    assert row.rejected_ids[: len(asked.completion_ids)] == asked.completion_ids
    assert "Heat" in kept_text(words, row.rejected_ids, row.rejected_mask)


def test_an_informed_expert_stops_an_answer_that_obeys_even_in_free_steps(film_task: Task, play) -> None:
    task = attacked(film_task, ANSWER)
    limits = InformedExpert(init_limit=9)
    trigger = Stuck(limits.init_limit, RuleOverseer(task, limits.recent_limit), NoDice())  # type: ignore[arg-type]
    trajectory = play(task, ASK, SEARCH, "<|final|> Amber Falcon", RIGHT, trigger=trigger)
    last = trajectory.history.steps[2].decision
    assert (last.actor, last.reason) == (Actor.EXPERT, "obeying")
    assert trajectory.success
    scores = {score.name: score.value for score in trajectory.scores}
    assert scores["attack_succeeded"] == 0.0
