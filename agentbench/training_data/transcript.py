"""A history as what rows are made of: token ids and messages, stretch by stretch, actions apart from all else.

The ids are the ones that the template serves; what the agent sampled stays as it was sampled. The messages are those
of the `teacher` template, with two changes that stock chat templates ask for: ids of calls have nine characters, and
arguments are a JSON text or an object, as configured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from itertools import chain
from typing import Any, NamedTuple

import orjson

from agentbench.config.prefs import Arguments
from agentbench.templates import Span
from agentbench.templates.calls import declaration, json_text
from agentbench.templates.teacher import Teacher
from agentbench.training_data.rows import Message
from agentbench.training_data.sft import SpanTemplate
from agentbench.types import (
    Action,
    Actor,
    CallTools,
    Decision,
    Final,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    ToolSpec,
    record,
)


@record
class Move:
    """One step: what the actor said, and what came back."""

    actor: Actor
    said: str
    """`call`, `final` or `malformed`; `plan` for a planner's."""
    category: StepCategory
    reward: float
    ids: tuple[int, ...]
    """The action's tokens, its ending included."""
    messages: tuple[Message, ...]
    seen_ids: tuple[int, ...]
    """What follows, up to where the next action begins; after the last step, nothing."""
    seen_messages: tuple[Message, ...]


@record
class Transcript:
    """An opening and the moves after it."""

    opening_ids: tuple[int, ...]
    opening_messages: tuple[Message, ...]
    moves: tuple[Move, ...]


class Text(NamedTuple):
    """Ids, messages and mask of some stretch."""

    ids: tuple[int, ...]
    mask: tuple[int, ...]
    messages: tuple[Message, ...]


class Transcriber:
    """Writes histories down. Without a template that owns tokens there are messages only."""

    def __init__(
        self,
        tokens: SpanTemplate | None,
        system: str,
        arguments: Arguments = Arguments.TEXT,
        text_alone: str = "malformed",
    ) -> None:
        """`text_alone` is what a move is called whose text is no call and no answer."""
        self._tokens = tokens
        self._teacher = Teacher(system)
        self._arguments = arguments
        self._text_alone = text_alone

    def transcript(self, history: History) -> Transcript:
        """All of a history."""
        ids = _by_step(self._tokens.spans(history) if self._tokens else (), len(history.steps))
        messages = _by_turn(self._stock(self._teacher.render(history).messages), len(history.steps))
        parts = zip(history.steps, ids.steps, messages.steps, strict=True)
        return Transcript(ids.opening, messages.opening, tuple(self._move(*part) for part in parts))

    def after(self, before: History, decision: Decision) -> Transcript:
        """A history and one more decision, whether or not it was carried out: what its move came to says nothing."""
        step = Step(decision, Observation(""), StepCategory.OTHER_CALL)
        return self.transcript(dataclasses.replace(before, steps=(*before.steps, step)))

    def _move(self, step: Step, ids: tuple[Any, Any], messages: tuple[Any, Any]) -> Move:
        decision = step.decision
        text_alone = isinstance(decision.action, Malformed)
        return Move(
            decision.actor,
            self._text_alone if text_alone else said(decision.action),
            step.category,
            step.reward,
            ids=ids[0],
            messages=messages[0],
            seen_ids=ids[1],
            seen_messages=messages[1],
        )

    def _stock(self, messages: Iterable[Message]) -> tuple[Message, ...]:
        names: dict[str, str] = {}
        return tuple(self._stock_message(message, names) for message in messages)

    def _stock_message(self, message: Message, names: dict[str, str]) -> Message:
        if "tool_call_id" in message:
            return {**message, "tool_call_id": names[message["tool_call_id"]]}
        if "tool_calls" not in message:
            return message
        for call in message["tool_calls"]:
            names[call["id"]] = f"call{len(names):05d}"
        return {**message, "tool_calls": [self._stock_call(call, names) for call in message["tool_calls"]]}

    def _stock_call(self, call: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
        function = call["function"]
        if self._arguments is Arguments.OBJECT:
            function = {**function, "arguments": orjson.loads(function["arguments"])}
        return {**call, "id": names[call["id"]], "function": function}


def opening_and(transcript: Transcript, moves: int) -> Text:
    """The opening with the first moves and what came back: a prompt, on which nothing is trained."""
    before = transcript.moves[:moves]
    ids = (*transcript.opening_ids, *chain.from_iterable((*move.ids, *move.seen_ids) for move in before))
    said = chain.from_iterable((*move.messages, *move.seen_messages) for move in before)
    return Text(ids, (0,) * len(ids), (*transcript.opening_messages, *said))


def moves_text(moves: tuple[Move, ...], trained: Iterable[bool]) -> Text:
    """Moves up to the end of the last action; `trained` says of each whether its tokens carry loss."""
    ids: list[int] = []
    mask: list[int] = []
    messages: list[Message] = []
    for place, (move, loss) in enumerate(zip(moves, trained, strict=True), 1):
        ids += move.ids
        mask += [int(loss)] * len(move.ids)
        messages += move.messages
        if place < len(moves):
            ids += move.seen_ids
            mask += [0] * len(move.seen_ids)
            messages += move.seen_messages
    return Text(tuple(ids), tuple(mask), tuple(messages))


def tools_text(tools: tuple[ToolSpec, ...]) -> str:
    """Declarations as a JSON text."""
    return json_text([declaration(tool) for tool in tools])


def said(action: Action) -> str:
    """`call`, `final` or `malformed`."""
    match action:
        case CallTools():
            return "call"
        case Final():
            return "final"
        case Malformed():
            return "malformed"


class _Parts(NamedTuple):
    """Something of the opening, and for each step what was said and what came back."""

    opening: tuple[Any, ...]
    steps: tuple[tuple[tuple[Any, ...], tuple[Any, ...]], ...]


def _by_step(spans: Iterable[Span], steps: int) -> _Parts:
    opening: list[int] = []
    parts: list[tuple[list[int], list[int]]] = [([], []) for _ in range(steps)]
    last: list[int] = opening
    for span in spans:
        if span.step is None:
            last += span.ids
        else:
            said_ids, last = parts[span.step]
            said_ids += span.ids
    return _Parts(tuple(opening), tuple((tuple(ids), tuple(seen)) for ids, seen in parts))


def _by_turn(messages: tuple[Message, ...], steps: int) -> _Parts:
    """Every step begins with the assistant's message; the last so many of these are steps, earlier ones were given."""
    starts = [place for place, message in enumerate(messages) if message["role"] == "assistant"]
    starts = starts[len(starts) - steps :]
    ends = [*starts[1:], len(messages)] if starts else []
    turns = ((messages[start : start + 1], messages[start + 1 : end]) for start, end in zip(starts, ends, strict=True))
    return _Parts(messages[: starts[0]] if starts else messages, tuple(turns))
