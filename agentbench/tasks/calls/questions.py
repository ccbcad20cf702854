"""Questions of function-calling data sets, however they were written down: parted into splits, and made tasks of."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from agentbench.config.tasks import Split
from agentbench.errors import DataError
from agentbench.tasks.own_tools import TOOLS, tools_data
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Gold,
    Rule,
    Task,
    ToolCall,
    ToolSpec,
    Turn,
)

HELD_OUT = 0.1
"""Share of the questions that is held back for validation, and again for tests."""


class Question(NamedTuple):
    """A question with the functions on offer and the calls that answer it."""

    id: str
    domain: str
    query: str
    tools: tuple[ToolSpec, ...]
    calls: tuple[ToolCall, ...]
    hint: str = ""
    """What has to be known about the form of the calls; told before the question."""
    fault: str = ""
    """Why it cannot be answered, where its reader saw that."""


class Questions(NamedTuple):
    """What a file holds."""

    kept: tuple[Question, ...]
    left_out: Mapping[str, int]
    """How many cannot be answered, by why."""


def sorted_out(questions: Iterable[Question], path: Path) -> Questions:
    """Those that can be answered, and how many cannot.

    Raises:
        DataError: two have the same id.
    """
    kept: dict[str, Question] = {}
    left_out: Counter[str] = Counter()
    for question in questions:
        reason = _unanswerable(question)
        if reason:
            left_out[reason] += 1
        elif question.id in kept:
            raise DataError(path, f"the id {question.id!r} stands there a second time")
        else:
            kept[question.id] = question
    return Questions(tuple(kept.values()), dict(left_out))


def divided(questions: Sequence[Question], seed: int) -> Mapping[Split, tuple[Question, ...]]:
    """80, 10 and 10 % of the questions for training, validation and tests, drawn by the seed.

    Questions in the same words stay together: none is both learnt and asked.
    """
    alike: dict[str, list[Question]] = {}
    for question in questions:
        alike.setdefault(" ".join(question.query.casefold().split()), []).append(question)
    groups = list(alike.values())
    random.Random(f"split {seed}").shuffle(groups)
    held_out = round(HELD_OUT * len(groups))
    ends = {Split.TEST: groups[:held_out], Split.VALIDATION: groups[held_out : 2 * held_out]}
    parts = {Split.TRAIN: groups[2 * held_out :], **ends}
    return {split: tuple(question for group in part for question in group) for split, part in parts.items()}


def offering(question: Question, tools: int | None) -> Question:
    """The question with this many functions: the needed ones, and others drawn from the text of its id."""
    if tools is None or tools >= len(question.tools):
        return question
    needed = {call.name for call in question.calls}
    others = [tool.name for tool in question.tools if tool.name not in needed]
    room = max(0, tools - len(needed))
    kept = needed | set(random.Random(f"offer {question.id}").sample(others, min(room, len(others))))
    return question._replace(tools=tuple(tool for tool in question.tools if tool.name in kept))


def task_of(question: Question, suite: str, split: Split) -> Task:
    """The question as a task whose first action is to be the gold one; there is no right answer in words."""
    gold = Gold(Answer(AnswerType.TEXT), (CallTools(question.calls),) if question.calls else ())
    data = {
        "scenario": _scenario(question),
        "split": split.value,
        "calls": len(question.calls),
        "offered": len(question.tools),
        TOOLS: tools_data(question.tools),
    }
    rules = (Rule(question.hint),) if question.hint else ()
    turn = Turn(question.query, gold)
    return Task(f"{suite}-{question.id}", suite, question.domain, (turn,), rules, data=data)


def _unanswerable(question: Question) -> str:
    """Why nobody could give the right calls; empty where they can be given."""
    names = [tool.name for tool in question.tools]
    if question.fault:
        return question.fault
    if len(set(names)) < len(names):
        return "two functions on offer have the same name"
    return "" if all(call.name in names for call in question.calls) else "a right call is to no function on offer"


def _scenario(question: Question) -> str:
    """As BFCL names them: whether there is a choice of functions, and whether several calls are wanted."""
    if not question.calls:
        return "no_call"
    chosen = len({call.name for call in question.calls})
    if len(question.calls) > 1:
        return "parallel_multiple" if chosen > 1 else "parallel"
    return "multiple" if len(question.tools) > 1 else "simple"
