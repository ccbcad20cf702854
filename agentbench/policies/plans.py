"""What a planner writes, and what it sees: an episode as the conversation that a planner has about it.

The planner's conversation is a history of its own: the tools stand in its opening as text, each of its steps is the
plan as it was sampled, and what comes back is the call that was made with its result. Because it is a history, the
templates render it, and training rows are made of it, by the same code as a chat agent's, token for token.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, create_model

from agentbench.templates import goes_on
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    Final,
    Generation,
    History,
    Malformed,
    Observation,
    Step,
    ToolKind,
    ToolSpec,
)

PLANNER, CALLER = "planner", "caller"
"""Roles of the two who make one step."""
ANSWER = "answer"
"""The tool of a plan that ends the user's turn."""
MOST_ITEMS = 20
"""Longest list among arguments, where the tool's own schema names no limit."""

Schema = dict[str, Any]


class AnswerArguments(BaseModel):
    """What the tool `answer` takes."""

    model_config = ConfigDict(extra="forbid")

    answer: str = Field(description="What the user is told.")


ANSWER_SPEC = ToolSpec(
    ANSWER,
    "Tells the user the answer and ends the work on the request.",
    AnswerArguments.model_json_schema(),
    ToolKind.FUNCTION,
)


@lru_cache(256)
def plan_schema(names: tuple[str, ...], task_chars: int) -> Schema:
    """JSON Schema of a plan: a task in words, then one of the tools named, `answer` among them."""
    tools: Any = Literal[(*names, ANSWER)]
    plan = create_model(
        "Plan",
        __config__=ConfigDict(extra="forbid"),
        task=(str, Field(min_length=1, max_length=task_chars)),
        tool=(tools, ...),
    )
    return plan.model_json_schema()


def bounded(schema: Schema, chars: int) -> Schema:
    """A schema of arguments whose texts and lists end: limits are added where it names none, at any depth."""
    match schema:
        case {"enum": _} | {"const": _} | {"pattern": _} | {"format": _}:
            return schema
        case {"type": "string"}:
            return {"maxLength": chars, **schema}
        case {"type": "array"}:
            items = {"items": bounded(schema["items"], chars)} if isinstance(schema.get("items"), dict) else {}
            return {"maxItems": MOST_ITEMS, **schema, **items}
    inner = {key: _each(schema[key], chars) for key in ("properties", "$defs") if key in schema}
    either = {key: [bounded(each, chars) for each in schema[key]] for key in ("anyOf", "oneOf") if key in schema}
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return {**closed, **schema, **inner, **either}


def _each(schemas: Mapping[str, Schema], chars: int) -> dict[str, Schema]:
    return {name: bounded(schema, chars) for name, schema in schemas.items()}


class Seen(NamedTuple):
    """An episode, and how its planner sees it."""

    history: History
    view: History


def planner_view(history: History, list_tools: bool, before: Seen | None = None) -> History:
    """An episode as its planner sees it; steps that somebody else took read as plans as well.

    `before`, an earlier view of the episode, saves the work that went into it, and changes nothing else.
    """
    if before is not None and goes_on(before.history, history):
        known, later = before.view, history.steps[len(before.history.steps) :]
        return History((), known.opening, (*known.steps, *map(planner_step, later)), known.earlier)
    steps = tuple(planner_step(step) for step in history.steps)
    return History((), planner_opening(history, list_tools), steps, history.earlier)


def planner_opening(history: History, list_tools: bool) -> Observation:
    """The request, after the tools that there are."""
    if not list_tools:
        return history.opening
    lines = [f"- {spec.name}: {' '.join(spec.description.split())}" for spec in (*history.tools, ANSWER_SPEC)]
    return Observation("\n".join(["Tools:", *lines, "", "Request:", history.opening.text]))


def planner_step(step: Step) -> Step:
    """A step as its planner sees it: the plan's text, and the call or answer that was made of it with its result."""
    decision = step.decision
    said = planned(decision.generations)
    text = said.completion if said is not None else plan_text(decision.action)
    mine = (dataclasses.replace(said, role="agent"),) if said is not None else ()
    told = Decision(Malformed(text, ""), decision.actor, generations=mine)
    seen = dataclasses.replace(step.observation, text=_result(decision.action, step.observation))
    return Step(told, seen, step.category, step.reward, step.seconds)


def planned(generations: Sequence[Generation]) -> Generation | None:
    """The plan among what was said in a step; `None` where a planner was not asked."""
    return next((said for said in reversed(generations) if said.role == PLANNER), None)


def plan_text(action: Action) -> str:
    """The plan that leads to an action, for steps that no planner took."""
    match action:
        case CallTools(calls=(call, *_), thought=thought):
            return _plan(thought or f"call {call.name} with {_json(call.arguments)}", call.name)
        case Final(answer=answer, thought=thought):
            return _plan(thought or answer, ANSWER)
        case Malformed(text=text):
            return text
        case CallTools():
            return _plan(action.thought, "")


def _result(action: Action, observation: Observation) -> str:
    match action:
        case CallTools(calls=calls):
            made = ", ".join(f"{call.name}({_json(call.arguments)})" for call in calls)
            return f"{made}\n{observation.text}"
        case Final(answer=answer):
            return f"The user was told: {answer}\n{observation.text}" if observation.text else observation.text
        case Malformed(reason=reason):
            return observation.text or reason


def _plan(task: str, tool: str) -> str:
    return _json({"task": task, "tool": tool})


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
