"""Episodes in a harbour, as VAKRA's evaluation sees them, and judges with ready opinions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from agentbench.scoring import Scorer
from agentbench.scoring.judge import Judged
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    EndReason,
    Final,
    Gold,
    History,
    Observation,
    Outcome,
    Rule,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Trajectory,
    Turn,
)

TOOLS = (
    ToolSpec("get_ships", "Ships of a harbour.", {}, ToolKind.API),
    ToolSpec("get_berths", "Berths of a harbour.", {}, ToolKind.API),
    ToolSpec("query_harbour", "Searches texts about the harbour.", {}, ToolKind.RETRIEVER),
)


def step(action: Action, text: str = "", outcome: Outcome = Outcome.OK) -> Step:
    """A step whose category says nothing."""
    return Step(Decision(action), Observation(text, outcome), StepCategory.OTHER_CALL)


def called(name: str, text: str = "{}", outcome: Outcome = Outcome.OK) -> Step:
    """A call and what it brought."""
    return step(CallTools((ToolCall(name, {}),)), text, outcome)


def said(answer: str) -> Step:
    """An answer to the user."""
    return step(Final(answer))


def episode(*steps: Step, forbids: tuple[ToolKind, ...] = (), turns: int = 1, **data: Any) -> Trajectory:
    """What ships are there? Gold is `data["gold_answer"]`; a task without that key has the gold answer Petrel."""
    gold = Gold(Answer(AnswerType.TEXT, "Petrel"))
    turn = Turn("Which ships are there?", gold)
    task = Task("harbour-1", "vakra", "harbour", (turn,) * turns, (Rule("…", forbids),), data=data)
    return Trajectory(task, History(TOOLS, Observation("?"), tuple(steps)), EndReason.FINAL)


class Opinions:
    """A judge with ready opinions that notes what it was asked."""

    def __init__(self, correct: Judged, grounded: Judged) -> None:
        self._correct = correct
        self._grounded = grounded
        self.asked: list[tuple[str, str, str | Sequence[str]]] = []

    async def correct(self, query: str, answer: str, gold: str) -> Judged:
        self.asked.append((query, answer, gold))
        return self._correct

    async def grounded(self, query: str, answer: str, evidence: Sequence[str]) -> Judged:
        self.asked.append((query, answer, evidence))
        return self._grounded


def opinions(correct: bool | None, grounded: bool | None) -> Opinions:
    """A judge that says yes, no or nothing."""
    return Opinions(Judged(correct, "said of correctness"), Judged(grounded, "said of groundedness"))


def scored(scorer: Scorer, trajectory: Trajectory) -> dict[str, Score]:
    """The scores by name."""
    return {score.name: score for score in asyncio.run(scorer.score(trajectory))}


def values(scorer: Scorer, trajectory: Trajectory) -> tuple[float | None, ...]:
    """The scores' values, in order."""
    return tuple(score.value for score in scored(scorer, trajectory).values())
