"""What is wrong with a first action, told from the trajectory alone: a taxonomy of failures of function calling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from agentbench.scoring.call_pairs import ABSENT, Match, Pairing, Specs, compared, paired
from agentbench.tasks.gold import same_calls
from agentbench.types import Action, CallTools, Final, Malformed, Task, ToolCall, ToolSpec, Trajectory


class Failure(StrEnum):
    """Why a first action is not the right one; the first of its faults in this order names an episode's failure."""

    UNREADABLE = "unreadable"
    """No action could be read."""
    NO_CALL = "no_call"
    """An answer in words where calls were wanted."""
    UNWANTED_CALL = "unwanted_call"
    """Calls where none was wanted."""
    UNKNOWN_FUNCTION = "unknown_function"
    """A function that is not offered."""
    WRONG_FUNCTION = "wrong_function"
    """One that is offered, in place of another."""
    MISSING_CALL = "missing_call"
    EXTRA_CALL = "extra_call"
    MISSING_ARGUMENT = "missing_argument"
    EXTRA_ARGUMENT = "extra_argument"
    """One that the gold call does not have."""
    WRONG_TYPE = "wrong_type"
    WRONG_VALUE = "wrong_value"


class Fault(NamedTuple):
    """One thing that is wrong with an action."""

    kind: Failure
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


def gold_calls(task: Task) -> tuple[ToolCall, ...]:
    """What is to be called first of all; nothing where the right action is to call nothing."""
    actions = task.turns[-1].gold.actions
    return actions[0].calls if actions else ()


def failure(trajectory: Trajectory) -> Failure | None:
    """What the episode's failure is called; `None` where its first action is right, or there is none."""
    history = trajectory.history
    if not history.steps:
        return None
    found = faults(trajectory.task, history.steps[0].decision.action, history.tools)
    return found[0].kind if found else None


def faults(task: Task, action: Action, tools: Sequence[ToolSpec]) -> tuple[Fault, ...]:
    """All that is wrong with a first action, in the order of `Failure`; nothing where it is right."""
    wanted = gold_calls(task)
    match action:
        case Malformed(reason=reason):
            return (Fault(Failure.UNREADABLE, reason),)
        case Final():
            return (Fault(Failure.NO_CALL, f"{_names(wanted)} wanted"),) if wanted else ()
        case CallTools(calls=()):
            return (Fault(Failure.UNREADABLE, "no call"),)
        case CallTools(calls=made):
            return _of_calls(wanted, made, {spec.name: spec for spec in tools})


def _of_calls(wanted: Sequence[ToolCall], made: Sequence[ToolCall], specs: Specs) -> tuple[Fault, ...]:
    if same_calls(made, wanted, specs):
        return ()
    if not wanted:
        return (Fault(Failure.UNWANTED_CALL, f"{_names(made)} called"),)
    pairing = paired(wanted, made, specs)
    of_arguments = (fault for match in pairing.matches for fault in _of_arguments(match, specs))
    found = (*_of_functions(pairing, specs), *of_arguments)
    order = list(Failure)
    return tuple(sorted(found, key=lambda fault: order.index(fault.kind)))


def _of_functions(pairing: Pairing, specs: Specs) -> Iterator[Fault]:
    unknown = [call for call in pairing.extra if call.name not in specs]
    others = [call for call in pairing.extra if call.name in specs]
    yield from (Fault(Failure.UNKNOWN_FUNCTION, f"{call.name[:80]} is not offered") for call in unknown)
    swapped = list(zip(pairing.missing, others, strict=False))
    yield from (Fault(Failure.WRONG_FUNCTION, f"{made.name}, not {gold.name}") for gold, made in swapped)
    left_out = pairing.missing[len(swapped) + len(unknown) :]  # an unknown one stands in for one as well
    yield from (Fault(Failure.MISSING_CALL, f"{call.name} not called") for call in left_out)
    yield from (Fault(Failure.EXTRA_CALL, f"{call.name} called") for call in others[len(swapped) :])


def _of_arguments(match: Match, specs: Specs) -> Iterator[Fault]:
    for name, gold, made in compared(match, specs).differences:
        place = f"{match.gold.name}.{name[:80]}"
        if made is ABSENT:
            yield Fault(Failure.MISSING_ARGUMENT, f"{place} left out")
        elif gold is ABSENT:
            yield Fault(Failure.EXTRA_ARGUMENT, f"{place} given")
        else:
            kind = Failure.WRONG_VALUE if _kind(made) == _kind(gold) else Failure.WRONG_TYPE
            yield Fault(kind, f"{place} is {_short(made)}, not {_short(gold)}")


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float():
            return "number"
    return type(value).__name__


def _names(calls: Sequence[ToolCall]) -> str:
    return ", ".join(call.name[:80] for call in calls)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]} …"
