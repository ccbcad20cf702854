"""Tasks of several turns with all but the last one given: question and gold answer instead of an episode's own.

The gold of the last turn then stands on its own. Where it takes over what an earlier turn found, the given answer is
there to be read, and stands in the gold in place of the reference. Handles are not: calls of given turns that make them
have not been made in the episode, so they are part of the gold, in front and with all references counted anew. All
other calls of given turns are left out.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from agentbench.errors import DataError
from agentbench.tasks.answers import answer_text
from agentbench.tasks.gold import REFERENCE, references
from agentbench.types import CallTools, Exchange, Gold, Task, ToolCall, Turn

_SEARCH = "retrieve_documents"
_FIRST_VALUE = re.compile(r"\.[^.$]+\.0|\.result")
"""Paths of what the last call of an answered turn shows as its answer: the first value of a list, or a figure."""


def with_given_turns(task: Task) -> Task:
    """The task with its last turn only, those before it given with their gold answers; one turn stays as it is.

    A given turn without an answer gets the sentence an expert refuses with. Rules and tools stay: they hold for the
    turn that is left. Documents of given turns are told apart by their calls' name, `retrieve_documents`.

    Raises:
        DataError: a gold call that the last turn needs refers to something that is no earlier gold call.
    """
    if len(task.turns) == 1:
        return task
    task = _with_answers(task)
    *before, last = task.turns
    given = (Exchange(turn.query, answer_text(turn.gold.answer)) for turn in before)
    return dataclasses.replace(
        task,
        turns=(dataclasses.replace(last, gold=_alone(task)),),
        earlier=(*task.earlier, *given),
        data={**task.data, "earlier_turns": "given"},
    )


def _with_answers(task: Task) -> Task:
    """The task with answers of earlier turns in place of references to them."""
    said: dict[int, str | float] = {}
    turns: list[Turn] = []
    number = 0
    for turn in task.turns:
        actions = tuple(_filled(action, said) for action in turn.gold.actions)
        turns.append(dataclasses.replace(turn, gold=dataclasses.replace(turn.gold, actions=actions)))
        number += sum(len(action.calls) for action in actions)
        value = turn.gold.answer.value
        if actions and isinstance(value, str | float):
            said[number] = int(value) if isinstance(value, float) and value.is_integer() else value
    return dataclasses.replace(task, turns=tuple(turns))


def _filled(action: CallTools, said: Mapping[int, str | float]) -> CallTools:
    return _mapped(action, lambda value: _answer(value, said))


def _answer(value: Any, said: Mapping[int, str | float]) -> Any:
    found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if found and int(found[1]) in said and _FIRST_VALUE.fullmatch(found[2]):
        return said[int(found[1])]
    return value


def _mapped(action: CallTools, change: Callable[[Any], Any]) -> CallTools:
    """The action with every argument of its calls changed."""
    calls = (
        ToolCall(call.name, {key: change(value) for key, value in call.arguments.items()}) for call in action.calls
    )
    return dataclasses.replace(action, calls=tuple(calls))


class _Made(NamedTuple):
    """One gold call of a given turn."""

    call: ToolCall
    thought: str
    document: str
    """Id of the document it has to bring up; empty for calls that search nothing."""


def _alone(task: Task) -> Gold:
    """The last turn's gold with all it refers to."""
    gold = task.turns[-1].gold
    made = [item for turn in task.turns[:-1] for item in _made(turn.gold)]
    own = [call for action in gold.actions for call in action.calls]
    kept = _needed(made, own, task.id)
    whole = (*kept, *range(len(made) + 1, len(made) + len(own) + 1))
    number = {old: new for new, old in enumerate(whole, 1)}
    taken = [made[old - 1] for old in kept]
    actions = (*(CallTools((item.call,), item.thought) for item in taken), *gold.actions)
    documents = (*(item.document for item in taken if item.call.name == _SEARCH), *gold.documents)
    return Gold(gold.answer, tuple(_renumbered(action, number) for action in actions), documents)


def _made(gold: Gold) -> Iterator[_Made]:
    documents = iter(gold.documents)
    for action in gold.actions:
        for call in action.calls:
            yield _Made(call, action.thought, next(documents, "") if call.name == _SEARCH else "")


def _needed(made: list[_Made], own: Iterable[ToolCall], task_id: str) -> list[int]:
    """Numbers of the given turns' calls that the last turn's calls refer to, directly or through others, in order."""
    kept: set[int] = set()
    waiting = [(number, call) for number, call in enumerate(own, len(made) + 1)]
    while waiting:
        number, call = waiting.pop()
        for other in references(call.arguments):
            if not 1 <= other < number:
                raise DataError(task_id, f"gold call {number} refers to $var_{other}$, which is no earlier gold call")
            if other <= len(made) and other not in kept:
                kept.add(other)
                waiting.append((other, made[other - 1].call))
    return sorted(kept)


def _renumbered(action: CallTools, number: Mapping[int, int]) -> CallTools:
    return _mapped(action, lambda value: _moved(value, number))


def _moved(value: Any, number: Mapping[int, int]) -> Any:
    found = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    return f"$var_{number[int(found[1])]}{found[2]}$" if found else value
