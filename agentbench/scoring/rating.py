"""How good an episode was, from 1 to 5 with a reason, in the opinion of a language model: where nobody has the answer.

Only what came to its end is rated. Of all episodes, those rated `pass_from` or better have passed, completed ones
rated lower were bad tasks, and the rest was not completed within the horizon: the three shares add up to 1, less what a
judge could not be asked about.

A judge errs, likes long and confident texts, and can be talked to by what it reads (L. Zheng et al. (2023), Judging
LLM-as-a-Judge, https://arxiv.org/abs/2306.05685): compare agents by the same judge, and read some of its reasons.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agentbench.llm.quoting import block
from agentbench.llm.spoken import SPOKEN
from agentbench.llm.structured import StructuredError, StructuredLlm
from agentbench.tasks.gold import answers
from agentbench.types import CallTools, Final, Malformed, Score, Step, Trajectory

RATING_PROMPT = Path(__file__).parent / "prompts" / "rating.txt"
"""The instructions a judge gets where the configuration names no others."""
BEST = 5


class Rating(BaseModel):
    """What the judge writes; the reason stands first, so that it is written before the rating it is for."""

    model_config = ConfigDict(extra="forbid")

    reason: str
    rating: int = Field(ge=1, le=BEST)


class RatingScorer:
    """The scores `answer` (passed), `rating` (0 for 1, 1 for 5), `bad_task` and `completed`."""

    def __init__(self, ask: StructuredLlm, instructions: str, seed: int, *, pass_from: int = 4) -> None:
        self._ask = ask
        self._instructions = instructions
        self._seed = seed
        self._pass_from = pass_from

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """The verdicts; unscored but for `completed` where the judge has no opinion."""
        if not trajectory.terminated:
            failed = f"not completed: {trajectory.end.value}"
            return (Score("answer", 0.0, failed), Score("bad_task", 0.0, failed), Score("completed", 0.0, failed))
        messages = (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": told_episode(trajectory)},
        )
        completed = Score("completed", 1.0)
        try:
            said = await self._ask.ask("judge", messages, Rating.model_json_schema(), self._seed)
        except StructuredError as error:
            unscored = f"unscored: {error}"
            return (Score("answer", None, unscored, error.generations), Score("bad_task", None, unscored), completed)
        rating = Rating.model_validate(said.value)
        passed = rating.rating >= self._pass_from
        why = f"{rating.rating} of {BEST}: {rating.reason}"
        return (
            Score("answer", float(passed), why, said.generations),
            Score("rating", (rating.rating - 1) / (BEST - 1), why),
            Score("bad_task", float(not passed), why),
            completed,
        )


def told_episode(trajectory: Trajectory) -> str:
    """All that a rating may rest on, as blocks of material."""
    history = trajectory.history
    tools = ({"name": spec.name, "description": spec.description} for spec in history.tools)
    return "\n\n".join(
        (
            block("request", *(turn.query for turn in trajectory.task.turns)),
            block("tools", *tools),
            block("steps", *(_told(number, step) for number, step in enumerate(history.steps, 1))),
            block("would_have_sent", {key: kept for key, kept in trajectory.evidence.items() if key != SPOKEN}),
            block("answer", *answers(history)),
        )
    )


def _told(number: int, step: Step) -> dict[str, Any]:
    decision, result = step.decision, {"outcome": step.observation.outcome.value, "result": step.observation.text}
    match decision.action:
        case CallTools(calls=calls, thought=thought):
            made = [{"tool": call.name, "arguments": call.arguments} for call in calls]
            return {"step": number, "task": thought, "calls": made, **result}
        case Final(answer=answer, thought=thought):
            return {"step": number, "task": thought, "answer": answer}
        case Malformed(reason=reason):
            return {"step": number, "unusable": reason}
