"""What an environment says of itself becomes scores, and where it asks for a reader, what a judge says."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from agentbench.config.model import ApiMode
from agentbench.llm import Sampling
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.llm.structured import StructuredLlm
from agentbench.scoring.claims import CLAIMS_PROMPT, ClaimsJudge
from agentbench.scoring.environment import EnvironmentScorer
from agentbench.types import (
    Answer,
    AnswerType,
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

OPEN = {"verdict": {"solved": None, "explanation": "2 statements need a judge", "parts": {"db": 1.0}}}
CLAIMS = ["The agent says 10.", "The agent is polite."]


def scored(trajectory: Trajectory) -> tuple[Score, ...]:
    return asyncio.run(EnvironmentScorer().score(trajectory))


@pytest.fixture
def played() -> Trajectory:
    """An episode that ended, of a task without a right answer in words."""
    secret = Gold(Answer(AnswerType.TEXT))
    task = Task("shop-1", "shop", "retail", (Turn("Cancel my order.", secret),))
    step = Step(Decision(Final("There are 10.")), Observation("Thanks."), StepCategory.UNJUDGED_FINAL)
    return Trajectory(task, History((), Observation("How many?"), (step,)), EndReason.ENV_DONE)


def scores_of(
    played: Trajectory, evidence: dict[str, Any], scorer: EnvironmentScorer | None = None
) -> tuple[Score, ...]:
    return asyncio.run((scorer or EnvironmentScorer()).score(dataclasses.replace(played, evidence=evidence)))


def judged(played: Trajectory, evidence: dict[str, Any], completion: str) -> tuple[tuple[Score, ...], list[str]]:
    """The scores with a judge who writes `completion`, and what the judge was shown."""
    shown: list[str] = []

    async def handle(request: web.Request) -> web.Response:
        shown.append((await request.json())["messages"][1]["content"])
        choice = {"message": {"content": completion}, "finish_reason": "stop"}
        return web.json_response({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}})

    async def run() -> tuple[Score, ...]:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", handle)
        async with TestServer(app) as server:
            llm = OpenAILlm(
                str(server.make_url("/v1")),
                "judge",
                ApiMode.CHAT,
                ApiKey("", ""),
                timeout_s=10,
                max_retries=0,
                max_connections=4,
            )
            ask = StructuredLlm(llm, Sampling(max_tokens=100), schema_guided=True)
            scorer = EnvironmentScorer(ClaimsJudge(ask, CLAIMS_PROMPT.read_text(encoding="utf-8"), 0))
            scores = await scorer.score(dataclasses.replace(played, evidence=evidence))
            await llm.close()
            return scores

    return asyncio.run(run()), shown


def verdicts(*held: bool) -> str:
    return json.dumps({"verdicts": [{"reason": f"Statement {i}.", "holds": each} for i, each in enumerate(held, 1)]})


def test_the_verdict_and_its_parts_are_scores(played: Trajectory) -> None:
    verdict = {"solved": True, "explanation": "all tables agree", "parts": {"tables": 1.0, "calls": 0.5}}
    expected = (Score("answer", 1.0, "all tables agree"), Score("calls", 0.5), Score("tables", 1.0))
    assert scores_of(played, {"verdict": verdict}) == expected


@pytest.mark.parametrize("evidence", [{}, {"verdict": None}, {"verdict": {"solved": "perhaps so"}}])
def test_without_a_readable_verdict_the_episode_is_unscored(played: Trajectory, evidence: dict[str, Any]) -> None:
    (score,) = scores_of(played, evidence)
    assert score.name == "answer" and score.value is None


def test_statements_without_a_judge_leave_the_episode_unscored(played: Trajectory) -> None:
    answer, db = scores_of(played, {**OPEN, "claims": CLAIMS})
    assert (answer, db) == (Score("answer", None, "2 statements need a judge"), Score("db", 1.0))


def test_an_episode_is_solved_if_all_statements_hold(played: Trajectory) -> None:
    (answer, claims, db), shown = judged(played, {**OPEN, "claims": CLAIMS}, verdicts(True, True))
    assert (answer.value, claims.value, db.value) == (1.0, 1.0, 1.0)
    assert '{"agent": "There are 10."}\n{"customer": "Thanks."}' in shown[0]


def test_one_statement_that_does_not_hold_leaves_it_unsolved_and_says_why(played: Trajectory) -> None:
    (answer, claims, _), _ = judged(played, {**OPEN, "claims": CLAIMS}, verdicts(True, False))
    assert (answer.value, answer.explanation, claims.value) == (0.0, "Statement 2.", 0.5)


def test_a_judge_who_leaves_statements_out_has_no_opinion(played: Trajectory) -> None:
    (answer, claims, _), shown = judged(played, {**OPEN, "claims": CLAIMS}, verdicts(True))
    assert answer.value is None and claims.value is None and len(shown) == 3


def test_a_judge_is_not_asked_where_the_environment_has_decided(played: Trajectory) -> None:
    decided = {"verdict": {"solved": False, "explanation": "another record"}, "claims": CLAIMS}
    scores, shown = judged(played, decided, verdicts(True, True))
    assert scores == (Score("answer", 0.0, "another record"),) and shown == []
