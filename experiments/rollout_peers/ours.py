"""The benchmark's task played by agentbench: `python ours.py completions|chat <url> <episodes> <concurrency> <folder>`.

Complete as in a run of `agentbench.rollout`: template, client, environment with checked arguments, intervention hook,
grader, scorer, and a trajectory with token ids and log-probabilities on disk for every episode.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from reading import QUESTION, SYSTEM, Asked, Watch, asked

from agentbench.config.model import ApiMode
from agentbench.envs.tool_env import ToolEnv
from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.llm import Llm, Sampling
from agentbench.llm.keys import ApiKey
from agentbench.llm.openai import OpenAILlm
from agentbench.llm.served import DecodedLlm
from agentbench.policies.chat import ChatAgent
from agentbench.policies.gold_expert import GoldExpert
from agentbench.policies.intervention import Intervention
from agentbench.policies.triggers import Never
from agentbench.scoring.answers import AnswerScorer
from agentbench.scoring.steps import StepGrader
from agentbench.templates import Template
from agentbench.templates.student_qwen3 import StudentQwen3
from agentbench.templates.teacher import Teacher
from agentbench.templates.token_template import TokenTemplate
from agentbench.templates.tokenizer import load_tokenizer
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Gold,
    Observation,
    StepCategory,
    Task,
    ToolCall,
    ToolSpec,
    Turn,
)

CALLS = tuple(CallTools((ToolCall("add", {"number": value}),)) for value in range(1, 6))
TURN = Turn(QUESTION, Gold(Answer(AnswerType.NUMBER, 15.0), CALLS))


class Add:
    """Adds a number to a running total; one per episode."""

    spec = ToolSpec(
        "add",
        "Adds a number to the total and gives the total.",
        {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
    )

    def __init__(self) -> None:
        self._total = 0

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The total so far."""
        self._total += arguments["number"]
        return Observation(str(self._total))


def task(number: int) -> Task:
    """The one question, under a name of its own."""
    return Task(f"sum-{number}", "bench", "numbers", (TURN,))


async def play(given: Asked, mode: ApiMode, tokenizer: Path) -> int:
    """Plays all episodes; the number of right answers."""
    llm = OpenAILlm(
        given.base_url,
        "student",
        mode,
        ApiKey("NONE"),
        timeout_s=120.0,
        max_retries=4,
        max_connections=given.concurrency,
    )
    asked: Llm = llm
    template: Template = Teacher(SYSTEM)
    if mode is ApiMode.COMPLETIONS:
        words = load_tokenizer(tokenizer)
        template = layout = TokenTemplate(StudentQwen3(thinking=False), words, SYSTEM)
        asked = DecodedLlm(llm, layout.decode, {words.id_of(text) or 0: text for text in layout.stop})
    grade = StepGrader(dict.fromkeys(StepCategory, 0.0))
    scorers = (AnswerScorer(),)

    def parts(task: Task, seed: int) -> EpisodeParts:
        agent = ChatAgent(asked, template, Sampling(), seed)
        policy = Intervention(agent, GoldExpert(task), Never(), keep_alternative=False)
        return EpisodeParts(ToolEnv((Add(),), enforce_rules=True), policy, grade, scorers)

    settings = PoolSettings(given.concurrency, 20, 0, 600.0, 0.0, quiet=True)
    tasks = [task(number) for number in range(given.episodes)]
    try:
        summary = await run_tasks(tasks, parts, settings, given.folder)
    finally:
        await llm.close()
    return summary.success.count


if __name__ == "__main__":
    mode, tokenizer = ApiMode(sys.argv.pop(1)), Path(sys.argv.pop(1))
    given, watch = asked(), Watch()
    watch.report(given, run_async(play(given, mode, tokenizer)))
