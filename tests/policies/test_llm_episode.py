"""A whole episode against a real server that plays agent's expert, overseer and judge at once."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agentbench.config.model import ApiMode, Price
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.encoding import decode, encode
from agentbench.episodes.run_episode import EpisodeParts, Limits, run_episode
from agentbench.episodes.summary import ExpertSettings
from agentbench.episodes.tally import Tally
from agentbench.llm import Sampling
from agentbench.llm.cache import CachedLlm
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.llm.structured import StructuredLlm
from agentbench.policies.intervention import Intervention
from agentbench.policies.llm_expert import EXPERT_PROMPT, LlmExpert
from agentbench.policies.llm_overseer import OVERSEER_PROMPT, LlmOverseer
from agentbench.policies.probes import Idle
from agentbench.policies.triggers import Coin, Stuck
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.judge import CORRECT_PROMPT, JudgeScorer, LlmJudge
from agentbench.scoring.steps import StepGrader
from agentbench.types import EndReason, StepCategory, Task, Trajectory

CATEGORIES = [StepCategory.GOLD_CALL, StepCategory.GOLD_CALL, StepCategory.CORRECT_FINAL]
PRICE = Price(prompt=2.0, completion=10.0)


def gold_of(text: str) -> dict[str, Any]:
    return json.loads(text.split("<gold>\n")[1].split("\n")[0])


def played(role: str, text: str) -> dict[str, Any]:
    """What a good model would write, read off the prompt."""
    if role == "judge":
        same = text.split("<right_answer>\n")[1].split("\n")[0] == text.split("<given_answer>\n")[1].split("\n")[0]
        return {"reason": "Compared.", "verdict": same}
    gold = gold_of(text)
    if role == "overseer":
        hasty = gold["next"] is not None
        return {"reason": "Seen.", "stuck": True, "kind": "answers_too_early" if hasty else "no_progress"}
    final = {"kind": "final", "answer": gold["answer"]}
    return {"thought": "Next.", "action": {"kind": "call", **gold["next"]} if gold["next"] else final}


class Models:
    """Plays all roles; every second request fails once; counts what it answered."""

    def __init__(self, broken: str = "") -> None:
        self.answered: Counter[str] = Counter()
        self._broken = broken
        self._requests = 0

    async def handle(self, request: web.Request) -> web.Response:
        self._requests += 1
        if self._requests % 2:
            return web.Response(status=500)
        body = await request.json()
        role = body["response_format"]["json_schema"]["name"]
        self.answered[role] += 1
        text = (
            "hm"
            if role == self._broken
            else f"```json\n{json.dumps(played(role, body['messages'][1]['content']))}\n```"
        )
        choice = {"message": {"content": text}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 10}})


def parts(task: Task, film_tools: Any, ask: StructuredLlm) -> EpisodeParts:
    texts = [path.read_text(encoding="utf-8") for path in (EXPERT_PROMPT, OVERSEER_PROMPT, CORRECT_PROMPT)]
    trigger = Stuck(0, LlmOverseer(task, 2, ask, texts[1], seed=0), Coin(0.0, random.Random(0)))
    policy = Intervention(Idle(), LlmExpert(task, ask, texts[0], 0), trigger, keep_alternative=True)
    grade = StepGrader({category: 0.0 for category in StepCategory})
    scorers = (AnswerScorer(), JudgeScorer(LlmJudge(ask, texts[2], 0)))
    return EpisodeParts(ToolEnv(film_tools, enforce_rules=False), policy, grade, scorers)


def play(models: Models, task: Task, film_tools: Any, folder: Path) -> Trajectory:
    async def main() -> Trajectory:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", models.handle)
        async with TestServer(app) as server:
            limits = {"timeout_s": 5.0, "max_retries": 2, "max_connections": 4}
            remote = OpenAILlm(str(server.make_url("/v1")), "m", ApiMode.CHAT, ApiKey("K"), **limits)
            llm = CachedLlm(remote, folder, "m")
            ask = StructuredLlm(llm, Sampling(max_tokens=256), True)
            try:
                return await run_episode(task, parts(task, film_tools, ask), Limits(5, 20.0), seed=0)
            finally:
                await llm.close()

    return asyncio.run(main())


@pytest.fixture
def task(film_task: Task) -> Task:
    return dataclasses.replace(film_task, earlier=(), data={})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentbench.llm.faults.FIRST_PAUSE_S", 0.01)


def test_a_stuck_agent_is_led_to_the_answer_and_judged(task: Task, film_tools, tmp_path: Path) -> None:
    models = Models()
    trajectory = play(models, task, film_tools, tmp_path)
    assert (trajectory.error, trajectory.end, trajectory.success) == ("", EndReason.FINAL, True)
    assert [step.category for step in trajectory.history.steps] == CATEGORIES
    reasons = [step.decision.reason for step in trajectory.history.steps]
    assert reasons == ["answers_too_early", "answers_too_early", "no_progress"]
    assert {score.name: score.value for score in trajectory.scores} == {"answer": 1.0, "judge": 1.0}
    assert models.answered == {"expert": 3, "overseer": 3, "judge": 1} and decode(encode(trajectory)) == trajectory


def test_its_tokens_and_dollars_are_accounted_by_role_and_not_twice(task: Task, film_tools, tmp_path: Path) -> None:
    models = Models()
    first, second = Tally(ExpertSettings(), {"expert": PRICE}), Tally(ExpertSettings(), {"expert": PRICE})
    first.add(play(models, task, film_tools, tmp_path))
    second.add(play(models, task, film_tools, tmp_path))
    tokens = {role: usage.prompt_tokens for role, usage in first.summary().tokens.items()}
    assert tokens == {"expert": 300, "overseer": 300, "judge": 100}
    assert first.summary().cost_usd == {"expert": pytest.approx((300 * 2 + 30 * 10) / 1e6)}
    assert second.summary().cost_usd == {"expert": 0.0} and models.answered.total() == 7


def test_a_judge_that_fails_leaves_the_episode_solved_and_unscored(task: Task, film_tools, tmp_path: Path) -> None:
    trajectory = play(Models(broken="judge"), task, film_tools, tmp_path)
    (judged,) = (score for score in trajectory.scores if score.name == "judge")
    assert trajectory.success and judged.value is None and "the last one was 'hm'" in judged.explanation
    assert len(judged.generations) == 3


@pytest.mark.parametrize("broken", ["expert", "overseer"])
def test_an_actor_that_fails_is_the_episodes_error(broken: str, task: Task, film_tools, tmp_path: Path) -> None:
    trajectory = play(Models(broken), task, film_tools, tmp_path)
    assert trajectory.end is EndReason.ERROR and f"the {broken} gave no usable answer" in trajectory.error
