"""IBM Granite 3.3's chat layout: turns of named roles, tools in a turn of their own, calls as a JSON list.

The layout follows the model's published chat template. Its tokenizer was not at hand: the logic is tested with another
tokenizer that was given Granite's control tokens, and no rendering was compared with the original's. The system
text replaces the model's own default one, as it does there.

Thoughts come as `<think>…</think>`, and an answer that follows one in `<response>…</response>`; these four are ordinary
text to Granite's tokenizer, the other markers are control tokens.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from agentbench.templates import Piece
from agentbench.templates.calls import call_object, declaration, json_text, read_calls
from agentbench.templates.markers import Guard
from agentbench.types import Action, CallTools, Exchange, Final, Malformed, Step, ToolSpec

_ROLE = Piece("<|start_of_role|>", True)
_ROLE_END = Piece("<|end_of_role|>", True)
_END = Piece("<|end_of_text|>", True)
_CALLS = Piece("<|tool_call|>", True)
_NEWLINE = Piece("\n", False)
_ASSISTANT = (_ROLE, Piece("assistant", False), _ROLE_END)

_THINK, _THINK_END = "<think>", "</think>"
_RESPONSE, _RESPONSE_END = "<response>", "</response>"
_GUARD = Guard(_THINK, _THINK_END, _RESPONSE, _RESPONSE_END, _CALLS.text, _END.text)


class _Spoken(NamedTuple):
    """What an assistant says in words, out of its tags."""

    thought: str
    answer: str


class StudentGranite3:
    """Text layout of Granite 3.3."""

    stop: tuple[str, ...] = (_END.text,)

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """System turn, tools turn, given turns, the user's question, and the header of the assistant's turn."""
        shown = json.dumps([declaration(tool) for tool in tools], ensure_ascii=False, indent=4)
        return (
            *(_turn("system", system) if system else ()),
            *(_turn("available_tools", shown) if tools else ()),
            *(piece for exchange in earlier for piece in _given(exchange)),
            *_turn("user", question),
            *_ASSISTANT,
        )

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The assistant's turn; malformed text as plain text."""
        match action:
            case CallTools():
                spoken = (Piece(_thought(action.thought), False),) if action.thought else ()
                return (*spoken, _CALLS, Piece(json_text([call_object(call) for call in action.calls]), False), _END)
            case Final(answer, ""):
                return (Piece(_GUARD.broken(answer), False), _END)
            case Final(answer, thought):
                return (Piece(f"{_thought(thought)}{_RESPONSE}{_GUARD.broken(answer)}{_RESPONSE_END}", False), _END)
            case Malformed():
                return (Piece(action.text, False), _END)

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """A tool turn; after an answer or malformed text a user turn."""
        role = "tool" if isinstance(step.decision.action, CallTools) else "user"
        return (_NEWLINE, *_turn(role, step.observation.text), *_ASSISTANT)

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        spoken, marker, calls = completion.strip().removesuffix(_END.text).partition(_CALLS.text)
        try:
            said = _spoken(spoken)
            if not marker:
                return _GUARD.read_final(said.answer, said.thought)
            return CallTools(read_calls(calls.strip()), _GUARD.whole("\n".join(part for part in said if part)))
        except ValueError as error:
            return Malformed(completion, str(error))


def _turn(role: str, text: str) -> tuple[Piece, ...]:
    return (_ROLE, Piece(role, False), _ROLE_END, Piece(text, False), _END, _NEWLINE)


def _given(exchange: Exchange) -> tuple[Piece, ...]:
    return (*_turn("user", exchange.query), *_turn("assistant", _GUARD.broken(exchange.answer)))


def _thought(thought: str) -> str:
    return f"{_THINK}{_GUARD.broken(thought)}{_THINK_END}"


def _spoken(spoken: str) -> _Spoken:
    thought, rest = "", spoken
    if spoken.startswith(_THINK):
        thought, closing, rest = spoken.removeprefix(_THINK).partition(_THINK_END)
        if not closing:
            raise ValueError("an unfinished thought")
    answer = rest.strip()
    if answer.startswith(_RESPONSE):
        answer, closing, _ = answer.removeprefix(_RESPONSE).partition(_RESPONSE_END)
        if not closing:
            raise ValueError("an unfinished response")
    return _Spoken(thought.strip(), answer.strip())
