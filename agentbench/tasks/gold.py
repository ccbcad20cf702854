"""How far an episode has come along its gold chain, and what the chain asks for next.

The gold chain is a plan, not a script: a call counts as met wherever in the episode it happened, whoever made it,
and arguments that refer to earlier results (`$var_2.handle$`) are filled in from what was really observed. So an
expert can take over after any detour, and the same function tells overseers and graders what progress is.

A retriever call is met by any search that brought up the document it was meant to bring up, whatever its words.
"""

from __future__ import annotations

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
    """The first needed call that has not happened, its references filled in; `None` when none is left."""


class _GoldCall(NamedTuple):
    number: int
    turn: int
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
    plan = _plan(task, history)
    reached = list(_reached(plan, task, history))
    ahead = next((CallTools((gold.resolved,), gold.thought) for gold in reached if not gold.met), None)
    return Progress(sum(gold.met for gold in reached), len(plan.needed), ahead)


def advances(task: Task, history: History, step: Step) -> bool:
    """Whether a step after the history makes a gold call of the open turn happen that had not happened.

    Raises:
        DataError: a reference in the gold chain points at a call or a path that does not exist.
    """
    plan, made = _plan(task, history), _made((step,))
    waiting = (gold for gold in _reached(plan, task, history) if not gold.met)
    return any(_matching_step(gold.document, gold.resolved, made, plan.specs) for gold in waiting)


def open_gold(task: Task, history: History) -> Gold:
    """The gold of the turn that is open in the history (the last one once all are answered)."""
    return task.turns[min(history.turn, len(task.turns) - 1)].gold


def same_effect(first: ToolCall, second: ToolCall, specs: Mapping[str, ToolSpec]) -> bool:
    """Whether two calls do the same: equal names, and equal arguments once defaults are filled in."""
    if first.name != second.name:
        return False
    if first.arguments == second.arguments:
        return True
    spec = specs.get(first.name)
    defaults = _defaults(spec) if spec else {}
    return bool(defaults) and {**defaults, **first.arguments} == {**defaults, **second.arguments}


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
        step = _matching_step(gold.document, resolved, made, plan.specs)
        if step is not None and gold.number in plan.referred:
            observed[gold.number] = read_json(step.observation.text)
        yield _Reached(resolved, gold.thought, gold.document, step is not None)


def _made(steps: Sequence[Step]) -> list[_Made]:
    """The calls that were carried out without complaint."""
    return [
        _Made(step.decision.action.calls[0], step)
        for step in steps
        if isinstance(step.decision.action, CallTools) and step.observation.outcome is Outcome.OK
    ]


def _gold_calls(task: Task, specs: Mapping[str, ToolSpec]) -> Iterator[_GoldCall]:
    number = 0
    for index, turn in enumerate(task.turns):
        documents = iter(turn.gold.documents)
        for action in turn.gold.actions:
            for call in action.calls:
                number += 1
                document = next(documents, "") if _searches(call, specs) else ""
                yield _GoldCall(number, index, call, action.thought, document, tuple(references(call.arguments)))


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


def _matching_step(
    document: str, resolved: ToolCall, made: Sequence[_Made], specs: Mapping[str, ToolSpec]
) -> Step | None:
    for call, step in made:
        if (document and _finds(document, call, step, specs)) or same_effect(call, resolved, specs):
            return step
    return None


def _finds(document: str, call: ToolCall, step: Step, specs: Mapping[str, ToolSpec]) -> bool:
    if not _searches(call, specs):
        return False
    found = read_json(step.observation.text)
    return isinstance(found, dict) and any(hit.get("id") == document for hit in found.get("results", ()))


def _defaults(spec: ToolSpec) -> dict[str, Any]:
    properties = spec.parameters.get("properties", {})
    return {name: schema["default"] for name, schema in properties.items() if "default" in schema}
