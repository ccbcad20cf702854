"""Where two episodes of one task part, and what either did there."""

from __future__ import annotations

import orjson

from agentbench.episodes.tally import differ
from agentbench.reporting.plain import one_line
from agentbench.types import Action, CallTools, Final, Malformed, Step, Trajectory, record

ACTION_CHARS = 160
OBSERVATION_CHARS = 120


@record
class Divergence:
    """The first step at which two episodes differ; a side that was over by then is told by its end."""

    step: int
    """From 1."""
    first: str
    second: str


def divergence(first: Trajectory, second: Trajectory) -> Divergence | None:
    """The first step whose action differs in effect or whose observation differs; `None` where none does.

    Thoughts and ways of writing do not count, so it is a step at which the two really did, or saw, something else.
    """
    ours, theirs = first.history.steps, second.history.steps
    shared = min(len(ours), len(theirs))
    for index in range(shared):
        if _differ(ours[index], theirs[index], first):
            return Divergence(index + 1, step_in_words(ours[index]), step_in_words(theirs[index]))
    if len(ours) == len(theirs):
        return None
    sides = (step_in_words(steps[shared]) if len(steps) > shared else "was over" for steps in (ours, theirs))
    return Divergence(shared + 1, *sides)


def step_in_words(step: Step) -> str:
    """Who did what, how it was graded, and what came of it, in one harmless line."""
    actor, category = step.decision.actor.value, step.category.value
    seen = one_line(step.observation.text, OBSERVATION_CHARS)
    return f"{actor}: {action_in_words(step.decision.action)} [{category}]{f' → {seen}' if seen else ''}"


def action_in_words(action: Action, longest: int = ACTION_CHARS) -> str:
    """An action in one harmless line, cut to `longest` characters."""
    match action:
        case CallTools(calls=calls):
            said = "; ".join(f"{call.name}({_arguments(call.arguments)})" for call in calls)
        case Final(answer=answer):
            said = f"answers {answer!r}"
        case Malformed(text=text):
            said = f"unreadable {text!r}"
    return one_line(said, longest)


def _arguments(arguments: dict[str, object]) -> str:
    return ", ".join(f"{name}={orjson.dumps(value, default=str).decode()}" for name, value in arguments.items())


def _differ(ours: Step, theirs: Step, episode: Trajectory) -> bool:
    acted = differ(ours.decision.action, theirs.decision.action, episode.history.tools)
    return acted or ours.observation != theirs.observation
