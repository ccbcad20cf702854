"""What stands in an episode, as values for prompts: the steps so far, the proposed action, the gold chain.

The values go into `llm.quoting.block`; everything in them may have been written by somebody who is not to be trusted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentbench.tasks.answers import answer_text
from agentbench.tasks.gold import open_gold, progress
from agentbench.types import Action, AnswerType, CallTools, Exchange, Final, History, Malformed, Task, ToolSpec

NO_ANSWER = "No answer can be given with these tools: the right answer says so and names what is missing."


def told_tools(history: History) -> list[dict[str, Any]]:
    """The tools of the episode as they were declared to the agent."""
    return [
        {"name": spec.name, "kind": spec.kind.value, "description": spec.description, "parameters": spec.parameters}
        for spec in history.tools
    ]


def told_earlier(history: History) -> list[dict[str, str]]:
    """The turns that were over before the episode began."""
    return [_exchange(exchange) for exchange in history.earlier]


def told_steps(history: History, latest: int | None = None) -> list[dict[str, Any]]:
    """The steps so far with what they brought, the `latest` ones or all; steps are numbered from 1."""
    skipped = 0 if latest is None else max(len(history.steps) - latest, 0)
    return [
        {
            "step": number,
            "by": step.decision.actor.value,
            **told_action(step.decision.action, history),
            "outcome": step.observation.outcome.value,
            "observation": step.observation.text,
        }
        for number, step in enumerate(history.steps[skipped:], skipped + 1)
    ]


def told_action(action: Action, history: History) -> dict[str, Any]:
    """An action: its calls, its answer, or the text that could not be read."""
    specs = {spec.name: spec for spec in history.tools}
    match action:
        case CallTools(calls=calls, thought=thought):
            made = [{"name": call.name, "kind": _kind(call.name, specs), "arguments": call.arguments} for call in calls]
            return {"thought": thought, "calls": made}
        case Final(answer=answer, thought=thought):
            return {"thought": thought, "answer": answer}
        case Malformed(text=text, reason=reason):
            return {"unreadable": text, "problem": reason}


def told_question(task: Task, history: History) -> str:
    """What the user wants at the moment: the query of the open turn."""
    return task.turns[min(history.turn, len(task.turns) - 1)].query


def told_gold(task: Task, history: History) -> dict[str, Any]:
    """The gold chain up to the open turn, how much of it has happened, its next call filled in, and the gold answer.

    Raises:
        DataError: the gold chain refers to something that does not exist or was not observed.
    """
    stands = progress(task, history)
    gold = open_gold(task, history)
    ahead = stands.next.calls[0] if stands.next is not None else None
    return {
        "calls": list(_gold_calls(task, history)),
        "documents": list(gold.documents),
        "needed": stands.needed,
        "done": stands.met,
        "next": {"name": ahead.name, "arguments": ahead.arguments} if ahead is not None else None,
        "answer": NO_ANSWER if gold.answer.type is AnswerType.UNANSWERABLE else gold.says or answer_text(gold.answer),
    }


def _gold_calls(task: Task, history: History) -> Iterator[dict[str, Any]]:
    number = 0
    for turn in task.turns[: history.turn + 1]:
        for action in turn.gold.actions:
            for call in action.calls:
                number += 1
                yield {"number": number, "name": call.name, "arguments": call.arguments, "why": action.thought}


def _kind(name: str, specs: Mapping[str, ToolSpec]) -> str:
    spec = specs.get(name)
    return spec.kind.value if spec is not None else "unknown"


def _exchange(exchange: Exchange) -> dict[str, str]:
    return {"user": exchange.query, "answer": exchange.answer}
