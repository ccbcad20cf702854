"""How well tools were used, apart from whether the answer was right: the playground's four figures.

    tool_accuracy   the tools called, each as often as it was, against those of the gold calls: shared / all of either
    format          steps that could be read as an action, with a tool that exists and arguments its schema allows
    execution       of the calls that were well-formed, those that the tool carried out
    quality         a judge's opinion of the answers: right where the task says what is right, else grounded in what the
                    tools said (needs judge=llm)

A figure with nothing to count is unscored. All steps count, an expert's too.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable

from agentbench.scoring.answers import is_secret
from agentbench.scoring.judge import Judge, Judged, gold_in_words
from agentbench.tasks.gold import answers
from agentbench.types import CallTools, Malformed, Outcome, Score, Step, Trajectory, Turn

_ILL_FORMED = (Outcome.MALFORMED, Outcome.UNKNOWN_TOOL, Outcome.BAD_ARGUMENTS, Outcome.UNAVAILABLE)
"""A call that was made before (`repeated`) is well-formed, and not carried out."""


class ToolUseScorer:
    """The scores `tool_accuracy`, `format` and `execution`; computed from the record alone."""

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """Unscored: tools where the task names none and none was called, execution where nothing was."""
        steps = trajectory.history.steps
        calls = [step for step in steps if isinstance(step.decision.action, CallTools)]
        formed = [step for step in steps if _is_formed(step)]
        carried = [step for step in calls if _is_formed(step)]
        done = sum(step.observation.outcome is Outcome.OK for step in carried)
        return (
            _tools(trajectory),
            _share("format", len(formed), len(steps), "steps well-formed"),
            _share("execution", done, len(carried), "well-formed calls carried out"),
        )


class QualityScorer:
    """The score `quality`: the share of the user's turns whose answer a judge finds good."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def score(self, trajectory: Trajectory) -> tuple[Score, ...]:
        """Turns never answered count as bad, unasked; one opinion that is missing makes all unscored."""
        turns, given = trajectory.task.turns, answers(trajectory.history)
        found = tuple(step.observation.text for step in trajectory.history.steps if _was_found(step))
        pairs = zip(turns, given, strict=False)
        opinions = await asyncio.gather(*(self._opinion(turn, answer, found) for turn, answer in pairs))
        said = tuple(generation for opinion in opinions for generation in opinion.generations)
        missing = [opinion.reason for opinion in opinions if opinion.verdict is None]
        if missing:
            return (Score("quality", None, f"unscored: {missing[0]}", said),)
        good = sum(opinion.verdict is True for opinion in opinions)
        return (Score("quality", good / len(turns), " | ".join(opinion.reason for opinion in opinions), said),)

    async def _opinion(self, turn: Turn, answer: str, found: tuple[str, ...]) -> Judged:
        if is_secret(turn.gold.answer):
            return await self._judge.grounded(turn.query, answer, found)
        return await self._judge.correct(turn.query, answer, gold_in_words(turn.gold.answer))


def _tools(trajectory: Trajectory) -> Score:
    wanted = _names(action for turn in trajectory.task.turns for action in turn.gold.actions)
    actions = (step.decision.action for step in trajectory.history.steps)
    made = _names(action for action in actions if isinstance(action, CallTools))
    if not wanted:
        return Score("tool_accuracy", None, "the task names no gold calls")
    return _share("tool_accuracy", (wanted & made).total(), (wanted | made).total(), "tools called and wanted")


def _names(actions: Iterable[CallTools]) -> Counter[str]:
    return Counter(call.name for action in actions for call in action.calls)


def _is_formed(step: Step) -> bool:
    return not isinstance(step.decision.action, Malformed) and step.observation.outcome not in _ILL_FORMED


def _was_found(step: Step) -> bool:
    return isinstance(step.decision.action, CallTools) and step.observation.outcome is Outcome.OK


def _share(name: str, part: int, whole: int, what: str) -> Score:
    return Score(name, part / whole if whole else None, f"{part} of {whole} {what}")
