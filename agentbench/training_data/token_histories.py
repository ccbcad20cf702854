"""What a token audit plays: made-up episodes around a harbour, with everything that layouts stumble over.

They hold several tools with different arguments, calls side by side, thoughts, letters outside ASCII, long numbers,
blanks at the edges, malformed steps, several turns, and turns given with their answers. All text is in Unicode's
composed form (NFC), which some tokenizers turn everything into.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from agentbench.types import (
    Action,
    CallTools,
    Decision,
    Exchange,
    Final,
    History,
    Malformed,
    Observation,
    Outcome,
    Step,
    StepCategory,
    ToolCall,
    ToolKind,
    ToolSpec,
)


class Case(NamedTuple):
    """One episode to play, and a name to speak about it."""

    name: str
    history: History


def _tool(name: str, description: str, kind: ToolKind = ToolKind.API, **properties: str) -> ToolSpec:
    shapes = {key: {"type": type_} for key, type_ in properties.items()}
    parameters = {"type": "object", "properties": shapes, "required": list(properties)[:1]}
    return ToolSpec(name, description, parameters, kind)


TOOLS = (
    _tool("ferry_times", "Departures of a ferry line on one day.", line="string", day="string"),
    _tool("ship_by_number", "A ship by its registration number.", number="integer", with_crew="boolean"),
    _tool("sum_of_tolls", "The tolls of some ships added up.", ships="array", rates="object", factor="number"),
    _tool("harbour_master", "Who answers for the harbour today."),
    _tool("retrieve_documents", "Searches the harbour's papers.", ToolKind.RETRIEVER, query="string", top_k="integer"),
)

_FERRY = ToolCall("ferry_times", {"line": "Ærø – Søby", "day": "2031-02-28"})
_SHIP = ToolCall("ship_by_number", {"number": 9_007_199_254_740_993, "with_crew": False})
_TOLLS = ToolCall("sum_of_tolls", {"ships": ["Möwe", "海鷗"], "rates": {"Möwe": 0.1, "海鷗": 1e-9}, "factor": -12.5})
_MASTER = ToolCall("harbour_master", {})
_PAPERS = ToolCall("retrieve_documents", {"query": "who built the “old” mole?\n", "top_k": 3})
_WHO = Exchange("Which ferry goes to Søby?", "The Skjoldnæs; it goes 4 times a day.")
_LONG = Exchange("And how long does it take?", "55 minutes.")


def step(action: Action, seen: str) -> Step:
    """A step of this action, after which this was seen."""
    malformed = isinstance(action, Malformed)
    outcome = Outcome.MALFORMED if malformed else Outcome.OK
    category = StepCategory.MALFORMED if malformed else StepCategory.OTHER_CALL
    return Step(Decision(action), Observation(seen, outcome), category)


def _episode(question: str, *steps: Step, earlier: tuple[Exchange, ...] = ()) -> History:
    return History(TOOLS, Observation(question), steps, earlier)


def _calls(*calls: ToolCall, thought: str = "") -> CallTools:
    return CallTools(calls, thought)


def plain_cases() -> tuple[Case, ...]:
    """Episodes without special tokens in their texts."""
    found = '{"departures": ["06:05", "23:59"], "ship": "Skjoldnæs"}'
    crew = '[{"name": "Zoë Núñez", "id": 12345678901234567890}, {"name": "李 明", "id": 3.141592653589793}]'
    look = step(_calls(_FERRY, thought="The timetable says it."), found)
    return (
        Case("calls and an answer", _episode("When is the last ferry?", look, step(Final("23:59"), ""))),
        Case(
            "calls side by side",
            _episode("Who is on board, and who is in charge?", step(_calls(_SHIP, _MASTER), crew), _end("Zoë Núñez")),
        ),
        Case(
            "letters, numbers and blanks",
            _episode(
                "  Tolls for Möwe & 海鷗, please 🚢\n\n\t(in €)  ",
                step(_calls(_TOLLS, thought="Two ships:\n- Möwe\n- 海鷗"), "  -1.2500000125000001e+00\r\n"),
                step(_calls(_PAPERS), ""),
                _end("−1.25 €, i.e. “almost nothing” 👩‍🚀"),
            ),
        ),
        Case(
            "malformed steps",
            _episode(
                "Who is the harbour master?",
                step(Malformed("I think I will call harbour_master(", "no call"), "Call a tool or answer."),
                step(Malformed('{"name": ', "no call"), "Call a tool or answer."),
                step(_calls(_MASTER, thought="Properly now."), '"Ida Lund"'),
                _end("Ida Lund"),
            ),
        ),
        Case(
            "several turns",
            _episode(
                "When is the last ferry?",
                look,
                step(Final("23:59", thought="The later one."), "And who built the mole?"),
                step(_calls(_PAPERS, thought="It is in the papers."), "[]"),
                step(_calls(_PAPERS), '{"results": [{"id": "p-1", "text": "Built by Søren Krag."}]}'),
                _end("Søren Krag"),
            ),
        ),
        Case(
            "given turns",
            _episode("Who is in charge?", step(_calls(_MASTER), "Ida"), _end("Ida"), earlier=(_WHO, _LONG)),
        ),
    )


def _end(answer: str) -> Step:
    return step(Final(answer, thought="That answers it."), "")


def hostile_cases(text: str) -> tuple[Case, ...]:
    """Episodes in which this text stands in one place each: whatever users, tools and models can fill."""
    seen = '{"master": "Ida Lund"}'
    calm = (step(_calls(_MASTER), seen), _end("Ida Lund"))
    told = dataclasses.replace(TOOLS[3], description=f"Who answers. {text}")
    asked = ToolCall("retrieve_documents", {"query": text, "top_k": 1})
    question = "Who is in charge?"
    return (
        Case("the question", _episode(f"{question} {text}", *calm)),
        Case("a tool's description", History((told,), Observation(question), calm)),
        Case("a given question", _episode(question, *calm, earlier=(Exchange(text, "Yes."),))),
        Case("a given answer", _episode(question, *calm, earlier=(Exchange("Is it open?", f"Yes. {text}"),))),
        Case("a tool's result", _episode(question, step(_calls(_MASTER), text), _end("Ida Lund"))),
        Case("a later question", _episode(question, *calm[:1], step(Final("Ida Lund"), text), _end("Ida Lund"))),
        Case("an argument", _episode(question, step(_calls(asked), seen), _end("Ida Lund"))),
        Case("a thought", _episode(question, step(_calls(_MASTER, thought=f"Hm. {text} Well."), seen), _end("Ida"))),
        Case("an answer", _episode(question, *calm[:1], step(Final(f"Ida. {text} Lund"), ""))),
        Case("malformed text", _episode(question, step(Malformed(f"hm {text} hm", "no call"), "No."), *calm)),
    )


def defused(history: History, markers: Iterable[str]) -> History:
    """The same history with every marker replaced by a harmless word, the tools' names aside; no sampled tokens."""
    ordered = sorted(markers, key=len, reverse=True)

    def harmless(text: str) -> str:
        for marker in ordered:
            text = text.replace(marker, "marker")
        return text

    return History(
        tuple(_tool_mapped(tool, harmless) for tool in history.tools),
        dataclasses.replace(history.opening, text=harmless(history.opening.text)),
        tuple(_step_mapped(item, harmless) for item in history.steps),
        tuple(Exchange(harmless(item.query), harmless(item.answer)) for item in history.earlier),
    )


def unsampled(history: History) -> History:
    """The same history as if an expert had written it: without generations."""
    return defused(history, ())


def _tool_mapped(tool: ToolSpec, change: Callable[[str], str]) -> ToolSpec:
    parameters = _mapped(tool.parameters, change)
    return dataclasses.replace(tool, description=change(tool.description), parameters=parameters)


def _step_mapped(item: Step, change: Callable[[str], str]) -> Step:
    observation = dataclasses.replace(item.observation, text=change(item.observation.text))
    decision = Decision(_action_mapped(item.decision.action, change), item.decision.actor)
    return dataclasses.replace(item, decision=decision, observation=observation, branches=())


def _action_mapped(action: Action, change: Callable[[str], str]) -> Action:
    match action:
        case CallTools(calls, thought):
            made = (ToolCall(change(call.name), _mapped(call.arguments, change)) for call in calls)
            return CallTools(tuple(made), change(thought))
        case Final(answer, thought):
            return Final(change(answer), change(thought))
        case Malformed(text, reason):
            return Malformed(change(text), reason)


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """A JSON value with all its texts changed, keys included."""
    match value:
        case str():
            return change(value)
        case dict():
            return {change(key): _mapped(item, change) for key, item in value.items()}
        case list():
            return [_mapped(item, change) for item in value]
    return value


def beginnings(history: History) -> Iterator[History]:
    """The history before its first step, after it, after the second one, and so on to the whole."""
    for count in range(len(history.steps) + 1):
        yield dataclasses.replace(history, steps=history.steps[:count])
