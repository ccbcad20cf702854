"""Whether an answer is right, and whether it rests on what was found, in the opinion of a language model.

A judge sees through paraphrases, converted units and sentences around an answer, which rules do not. It costs money,
errs, and can be talked to by the answer it judges, so its score stands beside the rules' one and the two are compared.
A judge that fails has no opinion; it never makes an answer wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from agentbench.llm.quoting import block
from agentbench.llm.structured import StructuredError, StructuredLlm
from agentbench.tasks.answers import answer_text
from agentbench.tasks.gold import answers
from agentbench.types import Answer, AnswerType, Generation, Score, Trajectory

CORRECT_PROMPT = Path(__file__).parent / "prompts" / "judge_correct.txt"
"""The instructions a judge gets where the configuration names no others."""
GROUNDED_PROMPT = Path(__file__).parent / "prompts" / "judge_grounded.txt"

UNANSWERABLE = "No answer can be given with the tools at hand; the right answer says that it cannot be given."

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "verdict": {"type": "boolean"}},
    "required": ["reason", "verdict"],
    "additionalProperties": False,
}
"""The reason stands first, so that it is written before the verdict it is for."""


class Judged(NamedTuple):
    """One opinion; `verdict` is `None`, with the cause as reason, where there is none."""

    verdict: bool | None
    reason: str
    generations: tuple[Generation, ...] = ()


class Judge(Protocol):
    """Gives opinions; a failure is an opinion that is missing, never an exception."""

    async def correct(self, query: str, answer: str, gold: str) -> Judged:
        """Whether `answer` says the same as `gold`, a right answer in words (or a description of one)."""
        ...

    async def grounded(self, query: str, answer: str, evidence: Sequence[str]) -> Judged:
        """Whether what `answer` claims follows from `evidence`, the texts of what was found."""
        ...


class LlmJudge:
    """A `Judge` that asks a language model; equal questions get equal seeds."""

    def __init__(self, ask: StructuredLlm, instructions: str, seed: int) -> None:
        """`instructions` are those for correctness; those for groundedness are always the ones that ship."""
        self._ask = ask
        self._correctness = instructions
        self._groundedness = GROUNDED_PROMPT.read_text(encoding="utf-8").strip()
        self._seed = seed

    async def correct(self, query: str, answer: str, gold: str) -> Judged:
        """Whether `answer` says the same as `gold`, a right answer in words (or a description of one)."""
        question = (block("question", query), block("right_answer", gold), block("given_answer", answer))
        return await self._verdict(self._correctness, question)

    async def grounded(self, query: str, answer: str, evidence: Sequence[str]) -> Judged:
        """Whether what `answer` claims follows from `evidence`, the texts of what was found."""
        question = (block("question", query), block("evidence", *evidence), block("given_answer", answer))
        return await self._verdict(self._groundedness, question)

    async def _verdict(self, instructions: str, blocks: Sequence[str]) -> Judged:
        messages = (
            {"role": "system", "content": instructions},
            {"role": "user", "content": "\n\n".join(blocks)},
        )
        try:
            said = await self._ask.ask("judge", messages, VERDICT_SCHEMA, self._seed)
        except StructuredError as error:
            return Judged(None, str(error), error.generations)
        return Judged(said.value["verdict"], said.value["reason"], said.generations)


class JudgeScorer:
    """The score named `judge`: the share of the task's turns that a judge finds answered rightly."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """Turns that were never answered count as wrong, unasked; one opinion that is missing makes all unscored."""
        given = answers(trajectory.history)
        turns = trajectory.task.turns
        pairs = zip(turns, given, strict=False)
        opinions = await asyncio.gather(
            *(self._judge.correct(turn.query, answer, gold_in_words(turn.gold.answer)) for turn, answer in pairs)
        )
        said = tuple(generation for opinion in opinions for generation in opinion.generations)
        missing = [opinion.reason for opinion in opinions if opinion.verdict is None]
        if missing:
            return (Score("judge", None, f"unscored: {missing[0]}", said),)
        right = sum(opinion.verdict is True for opinion in opinions)
        reasons = " | ".join(opinion.reason for opinion in opinions)
        return (Score("judge", right / len(turns), f"{right} of {len(turns)} turns right: {reasons}", said),)


def gold_in_words(answer: Answer) -> str:
    """A gold answer as a judge is told it."""
    match answer.type:
        case AnswerType.UNANSWERABLE:
            return UNANSWERABLE
        case AnswerType.ITEMS:
            return f"All of these and no others, in any order: {answer_text(answer)}"
        case AnswerType.TEXT | AnswerType.NUMBER:
            return answer_text(answer)
