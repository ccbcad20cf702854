"""Mistral 7B Instruct v0.3's chat layout, `[AVAILABLE_TOOLS]`, `[TOOL_CALLS]`, `[TOOL_RESULTS]`.

The first prompt equals what the model's own chat template renders, turns that are given with their answers included;
later ones differ where that template rewrites history: it moves the tools in front of the latest user message and
drops the system text once a tool has answered, while here both stay where they were first said. It also puts strings
into JSON unescaped; here all JSON is valid, so a description with a quotation mark and a result that is not JSON come
out quoted.

Call ids are nine characters, as the model was taught, and say only the place of a call within its step: they can be
told apart where that matters, and a student trained on them has nothing random to learn. The layout has no
place for thoughts, so they are ordinary text before the calls, or before a line `FINAL: answer`.
"""

from __future__ import annotations

from agentbench.templates import Piece
from agentbench.templates.calls import call_object, declaration, json_text, read_calls, read_json
from agentbench.templates.markers import Guard
from agentbench.types import Action, CallTools, Exchange, Final, Malformed, Step, ToolSpec

_BEGIN = Piece("<s>", True)
_END = Piece("</s>", True)
_TOOLS = Piece("[AVAILABLE_TOOLS]", True)
_TOOLS_END = Piece("[/AVAILABLE_TOOLS]", True)
_USER = Piece("[INST]", True)
_USER_END = Piece("[/INST]", True)
_CALLS = Piece("[TOOL_CALLS]", True)
_RESULTS = Piece("[TOOL_RESULTS]", True)
_RESULTS_END = Piece("[/TOOL_RESULTS]", True)

_GUARD = Guard(_CALLS.text, _END.text)


class StudentMistral:
    """Text layout of Mistral 7B Instruct v0.3."""

    stop: tuple[str, ...] = (_END.text,)

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """Given turns, the tools, then the system text and the question in one user message."""
        shown = f" {json_text([declaration(tool) for tool in tools])}"
        declared = (_TOOLS, Piece(shown, False), _TOOLS_END) if tools else ()
        given = (piece for exchange in earlier for piece in _given(exchange))
        return (_BEGIN, *given, *declared, *_user((system and system + "\n\n") + question))

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The assistant's message; malformed text as plain text."""
        match action:
            case CallTools():
                spoken = (Piece(" " + _GUARD.broken(action.thought), False),) if action.thought else ()
                calls = [{**call_object(call), "id": _call_id(index)} for index, call in enumerate(action.calls)]
                return (*spoken, _CALLS, Piece(" " + json_text(calls), False), _END)
            case Final():
                return (Piece(" " + _GUARD.thought_and_answer(action.thought, action.answer), False), _END)
            case Malformed():
                return (Piece(action.text, False), _END)

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """A result for each call; after an answer or malformed text a user message."""
        text, action = step.observation.text, step.decision.action
        if not isinstance(action, CallTools):
            return _user(text)
        results = (_result(text, _call_id(index)) for index in range(len(action.calls)))
        return tuple(piece for result in results for piece in (_RESULTS, Piece(result, False), _RESULTS_END))

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        spoken, marker, calls = completion.strip().removesuffix(_END.text).partition(_CALLS.text)
        try:
            if marker:
                return CallTools(read_calls(calls.strip()), _GUARD.whole(spoken.strip()))
            return _GUARD.read_final(spoken)
        except ValueError as error:
            return Malformed(completion, str(error))


def _user(text: str) -> tuple[Piece, ...]:
    return (_USER, Piece(" " + text, False), _USER_END)


def _given(exchange: Exchange) -> tuple[Piece, ...]:
    return (*_user(exchange.query), Piece(" " + _GUARD.broken(exchange.answer), False), _END)


def _call_id(index: int) -> str:
    return f"call{index:05}"


def _result(text: str, call_id: str) -> str:
    try:
        read_json(text)
    except ValueError:
        text = json_text(text)
    return f' {{"content": {text}, "call_id": "{call_id}"}}'
