"""Requests as function-calling tasks: three functions on offer, and the one call that is meant."""

from __future__ import annotations

from typing import Any

from agentbench.config.tasks import Split
from agentbench.tasks.calls.questions import Question, task_of
from agentbench.tasks.payments.requests import PaymentRequest
from agentbench.tasks.payments.wording import Act
from agentbench.types import Task, ToolCall, ToolKind, ToolSpec

_PERSON = {"type": "string", "description": "The other person, named as in the request."}
_AMOUNT = {"type": "number", "description": "In dollars."}
_NOTE = {"type": "string", "description": "What it is for, in the request's own words; left out where nothing is said."}


def _spec(act: Act, description: str, *required: str, **properties: dict[str, Any]) -> ToolSpec:
    schema = {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }
    return ToolSpec(act.value, description, schema, ToolKind.FUNCTION)


FUNCTIONS = (
    _spec(Act.SEND, "Sends money to somebody.", "person", "amount", person=_PERSON, amount=_AMOUNT, note=_NOTE),
    _spec(Act.REQUEST, "Asks somebody for money.", "person", "amount", person=_PERSON, amount=_AMOUNT, note=_NOTE),
    _spec(Act.ADD, "Adds money from the user's card to the user's balance.", "amount", amount=_AMOUNT),
)


def function_task(request: PaymentRequest, number: int, split: Split) -> Task:
    """The task for `env=function_call`."""
    question = Question(
        id=f"{split.value}-{number:05d}",
        domain="payments",
        query=request.text,
        tools=FUNCTIONS,
        calls=(gold_call(request),),
    )
    return task_of(question, "payments", split)


def gold_call(request: PaymentRequest) -> ToolCall:
    """The call that a request means."""
    person = {"person": _named(request)} if request.person else {}
    note = {"note": request.purpose} if request.purpose else {}
    return ToolCall(request.act.value, {**person, "amount": request.amount, **note})


def _named(request: PaymentRequest) -> str:
    return request.person if request.person in request.text else request.person.split(" ")[0]
