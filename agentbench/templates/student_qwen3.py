"""Qwen3's chat layout: tools in the system turn, calls as tagged JSON, results in user turns.

The first prompt equals what the model's own chat template renders with `add_generation_prompt`. Later prompts differ
only where that template rewrites history: it drops the thoughts of earlier user turns (and, without thinking, the
empty thought that opened each answer), while here what was said stays. Turns that are given with their answers have
no thoughts, as there. Texts in special tokens are pieces of their own, all else is encoded together, so the ids equal
the official ones too wherever the text holds no special token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentbench.templates import Piece
from agentbench.templates.calls import call_object, declaration, json_text, read_call, read_json
from agentbench.templates.markers import Guard
from agentbench.types import Action, CallTools, Exchange, Final, Malformed, Step, ToolCall, ToolSpec

START = Piece("<|im_start|>", True)
END = Piece("<|im_end|>", True)
_CALL = Piece("<tool_call>", True)
_CALL_END = Piece("</tool_call>", True)
_RESPONSE = Piece("<tool_response>", True)
_RESPONSE_END = Piece("</tool_response>", True)
_THINK = Piece("<think>", True)
_THINK_END = Piece("</think>", True)
NEWLINE = Piece("\n", False)

_TOOLS_INTRO = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
_TOOLS_FORMAT = "\n</tools>\n\nFor each function call, return a json object with function name and arguments within "
_CALL_FORMAT = '\n{"name": <function-name>, "arguments": <args-json-object>}\n'

GUARD = Guard("<think>", "</think>", "<tool_call>", "</tool_call>", END.text)
_CALLS = re.compile(r"<tool_call>(.*?)</tool_call>", re.DOTALL)


class StudentQwen3:
    """Text layout of Qwen3."""

    stop: tuple[str, ...] = ("<|im_end|>",)

    def __init__(self, thinking: bool = True) -> None:
        """`thinking`: whether the model may open with a thought of its own, as the official template's default has it.

        Without, every assistant turn is opened with an empty thought, and an expert's thoughts are ordinary text before
        the calls, or before a line `FINAL: answer`.
        """
        self._thinking = thinking
        empty = (_THINK, Piece("\n\n", False), _THINK_END, Piece("\n\n", False))
        self._assistant = (START, Piece("assistant\n", False), *(() if thinking else empty))

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """System turn with the tools, given turns, the user's question, and the header of the assistant's turn."""
        given = (piece for exchange in earlier for piece in given_turn(exchange))
        return (*system_turn(system, tools), *given, *turn("user", question), NEWLINE, *self._assistant)

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The assistant's turn; malformed text as plain text."""
        match action:
            case CallTools():
                calls = (piece for index, call in enumerate(action.calls) for piece in call_pieces(index, call))
                before = _thought(action.thought, "") if self._thinking else before_calls(action.thought)
                return (*before, *calls, END)
            case Final(answer, thought) if not self._thinking:
                return (Piece(GUARD.thought_and_answer(thought, answer), False), END)
            case Final():
                return (*_thought(action.thought, GUARD.broken(action.answer)), END)
            case Malformed():
                return (Piece(action.text, False), END)

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """A tool's result in a user turn; after an answer or malformed text an ordinary user turn."""
        text = step.observation.text
        if isinstance(step.decision.action, CallTools):
            result = (_RESPONSE, Piece(f"\n{text}\n", False), _RESPONSE_END)
            whole = (START, Piece("user\n", False), *result, END)
        else:
            whole = turn("user", text)
        return (NEWLINE, *whole, NEWLINE, *self._assistant)

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises.

        Text beside a call is thought; text without a call is the answer.
        """
        try:
            return read_action(completion.strip().removesuffix(END.text))
        except ValueError as error:
            return Malformed(completion, str(error))


def system_turn(system: str, tools: tuple[ToolSpec, ...]) -> Iterator[Piece]:
    """The system text with the tools, in words that Qwen's models from 2.5 on have in common."""
    if not tools:
        yield from (*turn("system", system), NEWLINE) if system else ()
        return
    lines = "".join("\n" + json_text(declaration(tool)) for tool in tools)
    yield from (START, Piece("system\n" + (system and system + "\n\n") + _TOOLS_INTRO + lines + _TOOLS_FORMAT, False))
    yield from (_CALL, _CALL_END, Piece(" XML tags:\n", False), _CALL, Piece(_CALL_FORMAT, False), _CALL_END)
    yield from (END, NEWLINE)


def turn(role: str, text: str) -> tuple[Piece, ...]:
    """One message."""
    return (START, Piece(f"{role}\n{text}", False), END)


def given_turn(exchange: Exchange) -> tuple[Piece, ...]:
    """A question and its answer, without a thought."""
    answer = GUARD.broken(exchange.answer)
    return (*turn("user", exchange.query), NEWLINE, *turn("assistant", answer), NEWLINE)


def before_calls(thought: str) -> tuple[Piece, ...]:
    """A thought as ordinary text in front of calls."""
    return (Piece(f"{GUARD.broken(thought)}\n", False),) if thought else ()


def _thought(thought: str, text: str) -> tuple[Piece, ...]:
    """A text, after its thought if there is one."""
    if not thought:
        return (Piece(text, False),) if text else ()
    return (_THINK, Piece(f"\n{GUARD.broken(thought)}\n", False), _THINK_END, Piece("\n\n" + text, False))


def call_pieces(index: int, call: ToolCall) -> Iterator[Piece]:
    """A call as tagged JSON; `index` is its place among those of its message."""
    text = json_text(call_object(call))
    if "tool_call>" in text:
        text = text.replace("<", "\\u003c")
    yield from (() if index == 0 else (NEWLINE,))
    yield from (_CALL, Piece(f"\n{text}\n", False), _CALL_END)


def read_action(text: str) -> Action:
    """The action that a message stands for.

    Raises:
        ValueError: it stands for none.
    """
    thought, spoken = "", text
    if text.startswith(_THINK.text):
        thought, closing, spoken = text.removeprefix(_THINK.text).partition(_THINK_END.text)
        if not closing:
            raise ValueError("an unfinished thought")
    beside = _CALLS.sub("", spoken)
    if _CALL.text in beside or _CALL_END.text in beside:
        raise ValueError("an unfinished tool call")
    calls = tuple(read_call(read_json(found)) for found in _CALLS.findall(spoken))
    if not calls:
        return GUARD.read_final(spoken, thought.strip())
    said = (thought.strip(), beside.strip())
    return CallTools(calls, GUARD.whole("\n".join(part for part in said if part)))
