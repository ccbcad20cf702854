"""Qwen2.5's chat layout, which its Coder models share: Qwen3's without thoughts of its own.

Its vocabulary has no tokens for thoughts and tool responses, so responses stand between tags of ordinary text, and an
expert's thought is ordinary text before the calls, or before a line `FINAL: answer`. Its tokenizer was not at hand: the
words of the first prompt are those of Qwen3's template, which is compared with the official one, and the logic is
tested with another tokenizer.
"""

from __future__ import annotations

from agentbench.templates import Piece
from agentbench.templates.student_qwen3 import (
    END,
    GUARD,
    NEWLINE,
    START,
    before_calls,
    call_pieces,
    given_turn,
    read_action,
    system_turn,
    turn,
)
from agentbench.types import Action, CallTools, Exchange, Final, Malformed, Step, ToolSpec

_ASSISTANT = (START, Piece("assistant\n", False))


class StudentQwen25:
    """Text layout of Qwen2.5."""

    stop: tuple[str, ...] = (END.text,)

    def opening(
        self, system: str, tools: tuple[ToolSpec, ...], question: str, earlier: tuple[Exchange, ...] = ()
    ) -> tuple[Piece, ...]:
        """System turn with the tools, given turns, the user's question, and the header of the assistant's turn."""
        given = (piece for exchange in earlier for piece in given_turn(exchange))
        return (*system_turn(system, tools), *given, *turn("user", question), NEWLINE, *_ASSISTANT)

    def action(self, action: Action) -> tuple[Piece, ...]:
        """The assistant's turn; malformed text as plain text."""
        match action:
            case CallTools():
                calls = (piece for index, call in enumerate(action.calls) for piece in call_pieces(index, call))
                return (*before_calls(action.thought), *calls, END)
            case Final(answer, thought):
                return (Piece(GUARD.thought_and_answer(thought, answer), False), END)
            case Malformed():
                return (Piece(action.text, False), END)

    def observation(self, step: Step) -> tuple[Piece, ...]:
        """A tool's result in a user turn; after an answer or malformed text an ordinary user turn."""
        text = step.observation.text
        if isinstance(step.decision.action, CallTools):
            text = f"<tool_response>\n{text}\n</tool_response>"
        return (NEWLINE, *turn("user", text), NEWLINE, *_ASSISTANT)

    def parse(self, completion: str) -> Action:
        """The action a completion stands for; `Malformed` when it stands for none. Never raises.

        Text beside a call is thought; text without a call is the answer.
        """
        try:
            return read_action(completion.strip().removesuffix(END.text))
        except ValueError as error:
            return Malformed(completion, str(error))
