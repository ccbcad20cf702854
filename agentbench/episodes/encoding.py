"""A trajectory as one line of JSON and back.

What differs on disk: a generation holds only the prompt ids that its role's previous generation did not have in the
same places (`prompt_prefix` says how many are left out), because prompts grow by appending; and log-probabilities have
six decimals. JSON has no NaN and no infinities: they are written as the words that pydantic reads back as floats.
In free-form values (arguments, evidence, task data) they stay words.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from agentbench.types import Action, Alternative, Branch, CallTools, Decision, Generation, Step, ToolCall, Trajectory

Ids = dict[str, tuple[int, ...]]
"""By role: the full prompt ids of its latest generation on the way to a step."""

Free = Any
"""A value of any form, made of what JSON has and the floats that JSON lacks."""

LOGPROB_DECIMALS = 6
_SCALE = 10.0**LOGPROB_DECIMALS
_WORDS = {math.inf: "Infinity", -math.inf: "-Infinity"}
_INT64 = range(-(2**63), 2**64)


def encode(trajectory: Trajectory) -> bytes:
    """The line, without its newline.

    Half a surrogate pair, which models can write and JSON cannot hold, becomes U+FFFD.

    Raises:
        TypeError: `evidence` or `task.data` holds something that has no JSON form.
    """
    stored = dataclasses.replace(
        trajectory,
        task=dataclasses.replace(trajectory.task, data=_finite(trajectory.task.data)),
        history=dataclasses.replace(trajectory.history, steps=_stored_steps(trajectory.history.steps, {})),
        evidence=_finite(trajectory.evidence),
    )
    try:
        return orjson.dumps(stored)
    except TypeError:
        return orjson.dumps(_writable(dataclasses.asdict(stored)))


def decode(line: bytes) -> Trajectory:
    """The trajectory of a line.

    Raises:
        ValueError: the line is not a trajectory; a `pydantic.ValidationError` where its form is wrong.
    """
    return expanded(_adapter()(line))


def shortened(decision: Decision, seen: Ids) -> Decision:
    """The decision without the prompt ids that its roles' previous generations had, and with rounded log-probabilities.

    `seen` is brought up to date. A live episode keeps its steps like this: in full, prompts that grow would take memory
    with the square of the number of steps. What is shortened already stays the same object.
    """
    generations = tuple([_shortened(generation, seen) for generation in decision.generations])
    return decision if generations == decision.generations else dataclasses.replace(decision, generations=generations)


def expanded(trajectory: Trajectory) -> Trajectory:
    """A trajectory with all prompt ids; one that has them stays what it is.

    Raises:
        ValueError: a generation leaves out more ids than its role's previous one has.
    """
    history = trajectory.history
    return dataclasses.replace(
        trajectory, history=dataclasses.replace(history, steps=_expanded_steps(history.steps, {}))
    )


@cache
def _adapter() -> Callable[[bytes], Trajectory]:
    return TypeAdapter(Trajectory).validate_json


def _stored_steps(steps: tuple[Step, ...], seen: Ids) -> tuple[Step, ...]:
    return tuple([_stored_step(step, seen) for step in steps])


def _stored_step(step: Step, seen: Ids) -> Step:
    decision = _stored_decision(step.decision, seen)
    in_line = not step.branches and not step.duplicates
    if decision is step.decision and in_line and math.isfinite(step.reward):
        return step
    branches = tuple(_stored_branch(branch, dict(seen)) for branch in step.branches)
    duplicates = tuple([_stored_generation(_shortened(each, dict(seen))) for each in step.duplicates])
    reward: Any = _finite(step.reward)
    return dataclasses.replace(step, decision=decision, reward=reward, branches=branches, duplicates=duplicates)


def _stored_branch(branch: Branch, seen: Ids) -> Branch:
    decision = _stored_decision(branch.decision, seen)
    return dataclasses.replace(branch, decision=decision, steps=_stored_steps(branch.steps, seen))


def _stored_decision(decision: Decision, seen: Ids) -> Decision:
    """Making new records costs the most here, so what is fit to be stored stays the same object."""
    decision = shortened(decision, seen)
    action = _stored_action(decision.action)
    generations = tuple([_stored_generation(generation) for generation in decision.generations])
    alternatives = tuple([Alternative(other.actor, _stored_action(other.action)) for other in decision.alternatives])
    if action is decision.action and generations == decision.generations and not alternatives:
        return decision
    return dataclasses.replace(decision, action=action, alternatives=alternatives, generations=generations)


def _stored_action(action: Action) -> Action:
    if not isinstance(action, CallTools) or all(_is_finite(call.arguments) for call in action.calls):
        return action
    calls = tuple(ToolCall(call.name, _finite(call.arguments)) for call in action.calls)
    return CallTools(calls, action.thought)


def _stored_generation(generation: Generation) -> Generation:
    if math.isfinite(sum(generation.logprobs)):
        return generation
    logprobs: Any = tuple([_finite(logprob) for logprob in generation.logprobs])
    return dataclasses.replace(generation, logprobs=logprobs)


def _shortened(generation: Generation, seen: Ids) -> Generation:
    known, ids = seen.get(generation.role, ()), generation.prompt_ids
    if generation.prompt_prefix:  # it was shortened before
        seen[generation.role] = known[: generation.prompt_prefix] + ids
        return generation
    prefix, logprobs = _shared(known, ids), _rounded(generation.logprobs)
    seen[generation.role] = ids
    if not prefix and logprobs == generation.logprobs:
        return generation
    return dataclasses.replace(generation, prompt_ids=ids[prefix:], prompt_prefix=prefix, logprobs=logprobs)


def _rounded(logprobs: tuple[float, ...]) -> tuple[float, ...]:
    try:
        return tuple([round(logprob * _SCALE) / _SCALE for logprob in logprobs])  # a third of what round(x, 6) costs
    except (OverflowError, ValueError):  # one is no finite number
        return tuple([round(logprob, LOGPROB_DECIMALS) for logprob in logprobs])


def _shared(before: tuple[int, ...], now: tuple[int, ...]) -> int:
    if now[: len(before)] == before:  # nearly always, and at the speed of C
        return len(before)
    pairs = enumerate(zip(before, now, strict=False))
    return next((place for place, (old, new) in pairs if old != new), min(len(before), len(now)))


def _is_finite(value: Free) -> bool:
    match value:
        case float():
            return math.isfinite(value)
        case dict():
            return all(_is_finite(part) for part in value.values())
        case list() | tuple():
            return all(_is_finite(part) for part in value)
        case _:
            return True


def _finite(value: Free) -> Free:
    match value:
        case float():
            return value if math.isfinite(value) else _WORDS.get(value, "NaN")
        case dict():
            return {key: _finite(part) for key, part in value.items()}
        case list() | tuple():
            return [_finite(part) for part in value]
        case _:
            return value


def _writable(value: Free) -> Free:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case int() if value not in _INT64:
            return orjson.Fragment(str(value))
        case dict():
            return {_writable(key): _writable(part) for key, part in value.items()}
        case list() | tuple():
            return [_writable(part) for part in value]
        case _:
            return value


def _expanded_steps(steps: tuple[Step, ...], seen: Ids) -> tuple[Step, ...]:
    return tuple(
        dataclasses.replace(
            step,
            decision=_expanded_decision(step.decision, seen),
            branches=tuple(_expanded_branch(branch, dict(seen)) for branch in step.branches),
            duplicates=tuple(_expanded_generation(each, dict(seen)) for each in step.duplicates),
        )
        for step in steps
    )


def _expanded_branch(branch: Branch, seen: Ids) -> Branch:
    decision = _expanded_decision(branch.decision, seen)
    return dataclasses.replace(branch, decision=decision, steps=_expanded_steps(branch.steps, seen))


def _expanded_decision(decision: Decision, seen: Ids) -> Decision:
    generations = tuple(_expanded_generation(generation, seen) for generation in decision.generations)
    return dataclasses.replace(decision, generations=generations)


def _expanded_generation(generation: Generation, seen: Ids) -> Generation:
    before, shared = seen.get(generation.role, ()), generation.prompt_prefix
    if not 0 <= shared <= len(before):
        raise ValueError(
            f"prompt_prefix {shared} of a generation by {generation.role!r} whose previous prompt has {len(before)} ids"
        )
    ids = before[:shared] + generation.prompt_ids
    seen[generation.role] = ids
    return dataclasses.replace(generation, prompt_ids=ids, prompt_prefix=0)
