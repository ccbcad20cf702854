"""What VAKRA's evaluation looks at in one episode, and the form of its verdict."""

from __future__ import annotations

from typing import Any, NamedTuple

from agentbench.tasks.gold import answers
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Final,
    History,
    Observation,
    Score,
    Task,
    ToolKind,
    Trajectory,
)

NOT_REACHED = "not reached"
NO_JUDGE = "no judge"


class Made(NamedTuple):
    """A tool call that was made, and what came of it."""

    name: str
    kind: ToolKind
    """`API` for tools that the episode does not have, unless the name begins with `query_`."""
    observation: Observation


class Case(NamedTuple):
    """One episode, seen from its last turn."""

    trajectory: Trajectory
    query: str
    answer: str | None
    """`None` where the last turn was never answered."""
    gold: Any
    """The right answer as the benchmark gives it: rows of cells, or a text; `None` where it gives none."""
    unanswerable: bool
    """Whether the task's own gold says that no answer can be given."""
    gold_responses: tuple[Any, ...]
    """What the gold calls of the last turn brought, as JSON values, in order."""
    made: tuple[Made, ...]
    """All calls of the episode, in order."""
    last: int
    """How many of `made` belong to the last turn."""

    @property
    def blind(self) -> bool:
        """Whether nothing is known about the right answer: a task that is there to be predicted only."""
        return self.gold is None and not self.unanswerable

    @property
    def last_made(self) -> tuple[Made, ...]:
        """The calls of the last turn."""
        return self.made[len(self.made) - self.last :]


class Parts(NamedTuple):
    """The steps of the waterfall; those behind the one that decides are not reached."""

    policy: Score = Score("policy", None, NOT_REACHED)
    exact: Score = Score("exact", None, NOT_REACHED)
    correctness: Score = Score("correctness", None, NOT_REACHED)
    groundedness: Score = Score("groundedness", None, NOT_REACHED)

    def verdict(self, value: float | None, explanation: str) -> tuple[Score, ...]:
        """The score named `answer`, and the parts it was made of."""
        return (Score("answer", value, explanation), *self)


def case_of(trajectory: Trajectory) -> Case:
    """The facts of a trajectory; tasks that are not VAKRA's are judged by the gold of their last turn."""
    task, history = trajectory.task, trajectory.history
    given = answers(history)
    made = tuple(_made(history, 0))
    return Case(
        trajectory,
        task.turns[-1].query,
        given[len(task.turns) - 1] if len(given) >= len(task.turns) else None,
        task.data["gold_answer"] if "gold_answer" in task.data else _rows(task.turns[-1].gold.answer),
        task.turns[-1].gold.answer.type is AnswerType.UNANSWERABLE,
        tuple(task.data.get("gold_responses", ())),
        made,
        sum(1 for _ in _made(history, _start_of_last_turn(task, history))),
    )


def _rows(answer: Answer) -> Any:
    match answer.type:
        case AnswerType.UNANSWERABLE:
            return None
        case AnswerType.ITEMS:
            return [[item] for item in answer.value] if isinstance(answer.value, tuple) else None
        case AnswerType.TEXT | AnswerType.NUMBER:
            return None if answer.value is None else [[answer.value]]


def _made(history: History, start: int) -> list[Made]:
    kinds = {spec.name: spec.kind for spec in history.tools}
    found = []
    for step in history.steps[start:]:
        match step.decision.action:
            case CallTools(calls=(call,)):
                guess = ToolKind.RETRIEVER if call.name.startswith("query_") else ToolKind.API
                found.append(Made(call.name, kinds.get(call.name, guess), step.observation))
            case _:
                pass
    return found


def _start_of_last_turn(task: Task, history: History) -> int:
    """Index of the first step of the last turn; the number of steps where it was never reached."""
    answered = 0
    for index, step in enumerate(history.steps):
        if answered == len(task.turns) - 1:
            return index
        answered += isinstance(step.decision.action, Final)
    return len(history.steps)
