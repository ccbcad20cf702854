"""The tiny student's own layout: every token that need not be there costs it speed and attention.

    <|tools|> director_of retrieve_documents<|user|> Who directed " Heat "?<|act|>
    <|call|> director_of<|arg|> title<|is|> Heat<|end|> director Michael Mann<|act|>
    <|final|> Michael Mann<|end|>

(without the line breaks). Given turns, `<|user|> … <|act|><|final|> …<|end|>`, stand before the question. What the
student sees is written so that copying is easy. There is no system text and tools are names only: what they do is
learnt. Arguments are not JSON; a value that is not a string comes as JSON behind `<|json|>` instead of `<|is|>`. A
blank stands before every name and value and around quotation marks, so that the same words are the same tokens
wherever they stand. Observations lose the punctuation of JSON, ids of documents and the columns of a peek: a student
that needed them would have to be shown more. Control words in a name, a value or an answer are guarded (see
`markers`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from agentbench.templates import Piece
from agentbench.templates.calls import json_text, read_json
from agentbench.templates.markers import Guard
from agentbench.types import Action, CallTools, Exchange, Final, Malformed, Step, ToolCall, ToolSpec

PAD = "<|pad|>"
TOOLS = "<|tools|>"
USER = "<|user|>"
ACT = "<|act|>"
THINK = "<|think|>"
CALL = "<|call|>"
ARG = "<|arg|>"
IS = "<|is|>"
JSON = "<|json|>"
FINAL = "<|final|>"
END = "<|end|>"

CONTROL_TOKENS = (PAD, END, TOOLS, USER, ACT, THINK, CALL, ARG, IS, JSON, FINAL)
"""To be added to the student's vocabulary, in this order; `<|pad|>` is used by training only."""

_CONTROL = re.compile("(" + "|".join(re.escape(token) for token in CONTROL_TOKENS) + ")")
_QUOTE = re.compile(r'\s*"\s*')
_GUARD = Guard("<|", answers=False)


class Tiny:
    """Text layout of the tiny student."""

    stop: tuple[str, ...] = (END,)

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """The tools' names, given turns and the question; the system text is left out."""
        names = " ".join(tool.name for tool in tools)
        given = (piece for exchange in earlier for piece in _given(exchange))
        return (_control(TOOLS), _free(names), *given, *_asked(question))

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The action with its ending; malformed text as plain text."""
        match action:
            case CallTools():
                body = (*_thought(action.thought), *(piece for call in action.calls for piece in _call(call)))
            case Final():
                body = (*_thought(action.thought), _control(FINAL), _free(action.answer))
            case Malformed():
                body = (Piece(action.text, False),)
        return (*body, _control(END))

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """The observation without the punctuation of JSON; after an answer it is the user who speaks."""
        text = _seen(flattened(step.observation.text))
        if isinstance(step.decision.action, Final):
            return (_control(USER), text, _control(ACT))
        return (text, _control(ACT))

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        try:
            return _read(completion)
        except ValueError as error:
            return Malformed(completion, str(error))


def _control(token: str) -> Piece:
    return Piece(token, True)


def _free(text: str) -> Piece:
    return Piece(f" {_GUARD.broken(text)}", False)


def _seen(text: str) -> Piece:
    return Piece(" " + _QUOTE.sub(' " ', text).strip(), False)


def _asked(question: str) -> tuple[Piece, ...]:
    return (_control(USER), _seen(question), _control(ACT))


def _given(exchange: Exchange) -> tuple[Piece, ...]:
    return (*_asked(exchange.query), _control(FINAL), _free(exchange.answer), _control(END))


def flattened(text: str) -> str:
    """The values of a JSON text as words: keys before their values, items apart by `;`, other text as it is."""
    try:
        return _flat(read_json(text))
    except ValueError:
        return text


def _flat(value: Any) -> str:
    match value:
        case {"id": _, "text": str(text)}:
            return text
        case dict():
            return " ".join(f"{key} {_flat(item)}" for key, item in value.items() if key != "key_details")
        case list():
            return " ; ".join(_flat(item) for item in value)
        case str():
            return value
    return json_text(value)


def _thought(thought: str) -> tuple[Piece, ...]:
    return (_control(THINK), _free(thought)) if thought else ()


def _call(call: ToolCall) -> Iterator[Piece]:
    yield from (_control(CALL), _free(call.name))
    for key, value in call.arguments.items():
        yield from (_control(ARG), _free(key))
        yield from (_control(IS), _free(value)) if isinstance(value, str) else (_control(JSON), _free(json_text(value)))


def _read(completion: str) -> Action:
    first, *rest = _CONTROL.split(completion.removesuffix(END))
    if first.strip():
        raise ValueError(f"text before the first control token: {first[:40]!r}")
    fields = [(token, _GUARD.whole(text.removeprefix(" "))) for token, text in zip(rest[::2], rest[1::2], strict=True)]
    thought = fields.pop(0)[1] if fields and fields[0][0] == THINK else ""
    match fields:
        case [(token, answer)] if token == FINAL:
            return Final(answer, thought)
        case [(token, _), *_] if token == CALL:
            return CallTools(_read_calls(fields), thought)
    raise ValueError(f"neither {CALL} nor one {FINAL}")


def _read_calls(fields: list[tuple[str, str]]) -> tuple[ToolCall, ...]:
    calls: list[ToolCall] = []
    while fields:
        token, name = fields.pop(0)
        if token != CALL or not name:
            raise ValueError(f"{token} where {CALL} and a name should be")
        calls.append(ToolCall(name, _read_arguments(name, fields)))
    return tuple(calls)


def _read_arguments(name: str, fields: list[tuple[str, str]]) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    while fields and fields[0][0] == ARG:
        key = fields.pop(0)[1]
        if key in arguments:
            raise ValueError(f"argument {key!r} of {name!r} given twice")
        if not fields or fields[0][0] not in (IS, JSON):
            raise ValueError(f"argument {key!r} of {name!r} has no value")
        token, text = fields.pop(0)
        arguments[key] = text if token == IS else read_json(text)
    return arguments
