"""Gold answers in words: how an expert says them."""

from __future__ import annotations

from agentbench.types import Answer, AnswerType

REFUSAL = "I cannot answer this: the tool I would need is not available."


def answer_text(answer: Answer) -> str:
    """The answer as an expert's FINAL says it: bare, items joined by `; `, whole numbers without a decimal point."""
    match answer.type:
        case AnswerType.UNANSWERABLE:
            return REFUSAL
        case AnswerType.ITEMS:
            return "; ".join(answer.value) if isinstance(answer.value, tuple) else str(answer.value)
        case AnswerType.NUMBER:
            return number_text(float(answer.value)) if isinstance(answer.value, (int, float)) else str(answer.value)
        case AnswerType.TEXT:
            return str(answer.value)


def number_text(value: float) -> str:
    """A number in the fewest digits that JSON would give it back from."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
