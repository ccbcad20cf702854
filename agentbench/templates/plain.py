"""A layout in plain text, for code models whose own chat format has no place for tools.

    ### Tools:
    {"type": "function", "function": {"name": …}}

    ### Instruction:
    How warm is it in Oslo?

    ### Response:
    CALLS: [{"name": "get_weather", "arguments": {"city": "Oslo"}}]<|EOT|>

after the system text. It is a choice of ours: DeepSeek-Coder's instruct models know the headings Instruction and
Response, StarCoder2 knows none, and neither was taught calls: both have to be trained on it. A result comes under
`### Result:`. Headings are ordinary text; in what users, tools or models say they are guarded (see `markers`).

The models' tokenizers were not at hand: the logic is tested with another one that was given their control tokens.
"""

from __future__ import annotations

from agentbench.templates import Piece
from agentbench.templates.calls import call_object, declaration, json_text, read_calls
from agentbench.templates.markers import Guard
from agentbench.types import Action, CallTools, Exchange, Final, Malformed, Step, ToolSpec

_CALLS = "CALLS:"
_TOOLS, _INSTRUCTION, _RESPONSE, _RESULT = "### Tools:", "### Instruction:", "### Response:", "### Result:"


class PlainText:
    """The layout, between the control tokens of one model."""

    def __init__(self, end: str, begin: str = "") -> None:
        """`end` is the token that ends a completion; `begin` one that the prompt starts with, if there is one."""
        self.stop: tuple[str, ...] = (end,)
        self._begin = (Piece(begin, True),) if begin else ()
        self._end = Piece(end, True)
        self._guard = Guard(_CALLS, _TOOLS, _INSTRUCTION, _RESPONSE, _RESULT, end)

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """System text, tools, given turns, the question, and the heading of the response."""
        declared = "\n".join(json_text(declaration(tool)) for tool in tools)
        before = (system and f"{system}\n\n") + (declared and f"{_TOOLS}\n{declared}\n\n")
        given = (piece for exchange in earlier for piece in self._given(exchange))
        return (*self._begin, *((Piece(before, False),) if before else ()), *given, self._asked(question))

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The response with its ending; malformed text as plain text."""
        match action:
            case CallTools():
                spoken = f"{self._guard.broken(action.thought)}\n" if action.thought else ""
                calls = json_text([call_object(call) for call in action.calls])
                return (Piece(f"{spoken}{_CALLS} {calls}", False), self._end)
            case Final():
                return (Piece(self._guard.thought_and_answer(action.thought, action.answer), False), self._end)
            case Malformed():
                return (Piece(action.text, False), self._end)

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """A result under its heading; after an answer or malformed text an instruction."""
        text, called = step.observation.text, isinstance(step.decision.action, CallTools)
        return (Piece("\n\n", False), self._asked(text, _RESULT if called else _INSTRUCTION))

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises."""
        spoken, marker, calls = completion.strip().removesuffix(self._end.text).partition(_CALLS)
        try:
            if marker:
                return CallTools(read_calls(calls.strip()), self._guard.whole(spoken.strip()))
            return self._guard.read_final(spoken)
        except ValueError as error:
            return Malformed(completion, str(error))

    def _asked(self, text: str, heading: str = _INSTRUCTION) -> Piece:
        return Piece(f"{heading}\n{self._guard.broken(text)}\n\n{_RESPONSE}\n", False)

    def _given(self, exchange: Exchange) -> tuple[Piece, ...]:
        answer = Piece(self._guard.broken(exchange.answer), False)
        return (self._asked(exchange.query), answer, self._end, Piece("\n\n", False))


def student_deepseek_coder() -> PlainText:
    """For deepseek-coder-…-instruct."""
    return PlainText("<|EOT|>", "<｜begin▁of▁sentence｜>")


def student_starcoder2() -> PlainText:
    """For starcoder2."""
    return PlainText("<|endoftext|>")
