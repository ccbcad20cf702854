"""How far an episode has come along its gold chain, and what the chain asks for next.

The gold chain is a plan, not a script: a call counts as met wherever in the episode it happened, whoever made it,
and arguments that refer to earlier results (`$var_2.handle$`) are filled in from what was really observed. So an
expert can take over after any detour, and the same function tells overseers and graders what progress is.

A retriever call is met by any search that brought up the document it was meant to bring up, whatever its words.

Calls of one gold action are made together, in any order: the expert makes all of them that are missing, and a step that
makes some and leaves others is no gold step.

Where calls change a world (`Gold.in_order`) the chain is a script after all: its actions count in their order, as often
as they stand there, and hold no references.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

from agentbench.errors import DataError
from agentbench.types import CallTools, Final, Gold, History, Outcome, Step, Task, ToolCall, ToolKind, ToolSpec

PLANS_KEPT = 512
"""Gold chains of turns that are worked out once each while they are asked for; more would take memory of every
episode under way for little."""

REFERENCE = re.compile(r"\$var_(\d+)((?:\.[^.$]+)*)\$")


class Progress(NamedTuple):
    """Where the open turn stands."""

    met: int
    """Gold calls of the open turn, or needed by it, that have happened."""
    needed: int
    """Gold calls of the open turn and those of earlier turns that they refer to."""
    next: CallTools | None
    """What has not happened of the first needed action of which something has not, references filled in; `None` when
    nothing is left."""


class _GoldCall(NamedTuple):
    number: int
    turn: int
    action: int
    """Number of the gold action it belongs to, over all turns."""
    call: ToolCall
    thought: str
    document: str
    """Id of the document a retriever call has to bring up; empty for other calls."""
    refers_to: tuple[int, ...]
    """Numbers of the calls whose results stand in its arguments."""


def progress(task: Task, history: History) -> Progress:
    """Progress along the gold chain of the turn that is open in the history.

    Raises:
        DataError: a reference in the gold chain points at a call or a path that does not exist.
    """
    if open_gold(task, history).in_order:
        return _in_order(task, history)
    plan = _plan(task, history)
    reached = list(_reached(plan, task, history))
    return Progress(sum(gold.met for gold in reached), len(plan.needed), _ahead(reached))


def _in_order(task: Task, history: History) -> Progress:
    """How many actions of the open turn have been made, each after those before it, whatever came of them."""
    gold, specs = open_gold(task, history), {spec.name: spec for spec in history.tools}
    left, begun = list(gold.actions), len(answers(history))
    for step in history.steps:
        match step.decision.action:
            case Final():
                begun -= 1
            case CallTools(calls=calls) if begun == 0 and left and same_calls(calls, left[0].calls, specs):
                left.pop(0)
    return Progress(len(gold.actions) - len(left), len(gold.actions), left[0] if left else None)


def _ahead(reached: Sequence[_Reached]) -> CallTools | None:
    waiting = [gold for gold in reached if not gold.met]
    if not waiting:
        return None
    together = (gold.resolved for gold in waiting if gold.action == waiting[0].action)
    return CallTools(tuple(together), waiting[0].thought)


def advances(task: Task, history: History, step: Step) -> bool:
    """Whether a step after the history makes gold calls of the open turn happen that had not happened, and no others;
    all that are missing of an action, where it makes one of them.

    Raises:
        DataError: a reference in the gold chain points at a call or a path that does not exist.
    """
    if open_gold(task, history).in_order:
        after = dataclasses.replace(history, steps=(*history.steps, step))
        return _in_order(task, after).met > _in_order(task, history).met
    plan = _plan(task, history)
    waiting = [gold for gold in _reached(plan, task, history) if not gold.met]
    begun: set[int] = set()
    for made in _made((step,)):
        found = next((gold for gold in waiting if _matching_step(gold, (made,), plan.specs)), None)
        if found is None:
            return False
        waiting.remove(found)
        begun.add(found.action)
    return bool(begun) and not any(gold.action in begun for gold in waiting)


def open_gold(task: Task, history: History) -> Gold:
    """The gold of the turn that is open in the history (the last one once all are answered)."""
    return task.turns[min(history.turn, len(task.turns) - 1)].gold


def same_effect(first: ToolCall, second: ToolCall, specs: Mapping[str, ToolSpec]) -> bool:
    """Whether two calls do the same: equal names, and equal arguments once defaults are filled in."""
    if first.name != second.name:
        return False
    if same_value(first.arguments, second.arguments):
        return True
    spec = specs.get(first.name)
    defaults = defaults_of(spec) if spec else {}
    return bool(defaults) and same_value({**defaults, **first.arguments}, {**defaults, **second.arguments})


def same_value(first: Any, second: Any) -> bool:
    """Whether two JSON values are equal: 1 is 1.0, and neither is true."""
    return first == second and _same_kinds(first, second)


def defaults_of(spec: ToolSpec) -> dict[str, Any]:
    """What stands for arguments that a call leaves out, by name, where the tool says so."""
    properties = spec.parameters.get("properties", {})
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}


def same_calls(ours: Sequence[ToolCall], theirs: Sequence[ToolCall], specs: Mapping[str, ToolSpec]) -> bool:
    """Whether calls made together do the same, in whatever order they are written."""
    left = list(theirs)
    for call in ours:
        twin = next((other for other in left if same_effect(call, other, specs)), None)
        if twin is None:
            return False
        left.remove(twin)
    return not left


def read_json(text: str) -> Any:
    """An observation's JSON value, or `None` when its text is not JSON."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def references(arguments: Mapping[str, Any]) -> Iterator[int]:
    """Numbers of the gold calls that a gold call's arguments refer to."""
    for value in arguments.values():
        match = REFERENCE.fullmatch(value) if isinstance(value, str) else None
        if match:
            yield int(match[1])


def answers(history: History) -> tuple[str, ...]:
    """What the agent answered, turn by turn."""
    actions = (step.decision.action for step in history.steps)
    return tuple(action.answer for action in actions if isinstance(action, Final))


def filled_in(call: ToolCall, observed: Mapping[int, Any], task_id: str) -> ToolCall:
    """A gold call with its references replaced by what earlier gold calls, by number, brought up.

    Raises:
        DataError: a reference names a path that was not observed.
    """
    return ToolCall(call.name, {key: _value(value, observed, task_id) for key, value in call.arguments.items()})


class _Made(NamedTuple):
    """A call that was carried out."""

    call: ToolCall
    step: Step


class _Plan(NamedTuple):
    specs: Mapping[str, ToolSpec]
    needed: Sequence[_GoldCall]
    referred: frozenset[int]
    """Numbers of the calls whose results others need."""


class _Reached(NamedTuple):
    """A needed gold call whose references have happened."""

    action: int
    resolved: ToolCall
    thought: str
    document: str
    met: bool


class _Setting:
    """A task with tools as a cache key: equal only where both are the very same objects, which it keeps alive."""

    __slots__ = ("task", "tools")

    def __init__(self, task: Task, tools: tuple[ToolSpec, ...]) -> None:
        self.task = task
        self.tools = tools

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Setting) and self.task is other.task and self.tools is other.tools

    def __hash__(self) -> int:
        return id(self.task) ^ id(self.tools)


def _plan(task: Task, history: History) -> _Plan:
    return _planned(_Setting(task, history.tools), min(history.turn, len(task.turns) - 1))


@lru_cache(PLANS_KEPT)
def _planned(setting: _Setting, turn: int) -> _Plan:
    task, specs = setting.task, {spec.name: spec for spec in setting.tools}
    calls = {call.number: call for call in _gold_calls(task, specs)}
    needed = [calls[number] for number in _needed(calls, turn, task.id)]
    return _Plan(specs, needed, frozenset(number for gold in needed for number in gold.refers_to))


def _reached(plan: _Plan, task: Task, history: History) -> Iterator[_Reached]:
    observed: dict[int, Any] = {}
    made = _made(history.steps)
    for gold in plan.needed:
        if any(other not in observed for other in gold.refers_to):
            continue
        resolved = filled_in(gold.call, observed, task.id) if gold.refers_to else gold.call
        reached = _Reached(gold.action, resolved, gold.thought, gold.document, met=False)
        step = _matching_step(reached, made, plan.specs)
        if step is not None and gold.number in plan.referred:
            observed[gold.number] = read_json(step.observation.text)
        yield reached._replace(met=step is not None)


def _made(steps: Sequence[Step]) -> list[_Made]:
    """The calls that were carried out without complaint."""
    return [
        _Made(call, step)
        for step in steps
        if isinstance(step.decision.action, CallTools) and step.observation.outcome is Outcome.OK
        for call in step.decision.action.calls
    ]


def _gold_calls(task: Task, specs: Mapping[str, ToolSpec]) -> Iterator[_GoldCall]:
    number, group = 0, 0
    for index, turn in enumerate(task.turns):
        documents = iter(turn.gold.documents)
        for action in turn.gold.actions:
            group += 1
            for call in action.calls:
                number += 1
                document = next(documents, "") if _searches(call, specs) else ""
                refers_to = tuple(references(call.arguments))
                yield _GoldCall(number, index, group, call, action.thought, document, refers_to)


def _searches(call: ToolCall, specs: Mapping[str, ToolSpec]) -> bool:
    return call.name in specs and specs[call.name].kind is ToolKind.RETRIEVER


def _needed(calls: Mapping[int, _GoldCall], turn: int, task_id: str) -> list[int]:
    wanted = {number for number, call in calls.items() if call.turn == turn}
    waiting = list(wanted)
    while waiting:
        number = waiting.pop()
        for other in calls[number].refers_to:
            if other not in calls or other >= number:
                raise DataError(task_id, f"gold call {number} refers to $var_{other}$, which is no earlier gold call")
            if other not in wanted:
                wanted.add(other)
                waiting.append(other)
    return sorted(wanted)


def _value(value: Any, observed: Mapping[int, Any], task_id: str) -> Any:
    match = REFERENCE.fullmatch(value) if isinstance(value, str) else None
    if not match:
        return value
    found = observed[int(match[1])]
    for part in match[2].split(".")[1:]:
        try:
            found = found[int(part)] if isinstance(found, list) else found[part]
        except (KeyError, IndexError, TypeError, ValueError):
            raise DataError(task_id, f"the gold reference {value!r} finds nothing at {part!r}") from None
    return found


def _matching_step(gold: _Reached, made: Sequence[_Made], specs: Mapping[str, ToolSpec]) -> Step | None:
    for call, step in made:
        if (gold.document and _finds(gold.document, call, step, specs)) or same_effect(call, gold.resolved, specs):
            return step
    return None


def _finds(document: str, call: ToolCall, step: Step, specs: Mapping[str, ToolSpec]) -> bool:
    if not _searches(call, specs):
        return False
    found = read_json(step.observation.text)
    return isinstance(found, dict) and any(hit.get("id") == document for hit in found.get("results", ()))


def _same_kinds(first: Any, second: Any) -> bool:
    """Whether equal values are booleans in the same places."""
    match first, second:
        case dict(), dict():
            return all(_same_kinds(value, second[key]) for key, value in first.items())
        case list(), list():
            return all(map(_same_kinds, first, second))
    return isinstance(first, bool) == isinstance(second, bool)
