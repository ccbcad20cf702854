"""BFCL's questions as tasks: tools as JSON Schema, earlier messages as earlier turns, and one allowed chain as gold.

The domain of a task is its category. Names of functions lose their dots, which servers do not take, and get them back
where the official checkers read them. The tools that a dialogue gets only in a later turn stand in that turn's words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentbench.errors import DataError
from agentbench.tasks.bfcl.answers import answer_calls, call_of_text
from agentbench.tasks.own_tools import TOOLS, tools_data
from agentbench.types import (
    Answer,
    AnswerType,
    CallTools,
    Exchange,
    Gold,
    Rule,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Turn,
    record,
)

SUITE = "bfcl"
Json = dict[str, Any]

_SECRET = Answer(AnswerType.TEXT, None)
_NO_GOLD = "Which call is right is not told."
"""What gold says where calling anything is right and the data set names no call; it is as wrong as any other text."""
_TYPES = {
    **{name: "object" for name in ("dict", "object", "HashMap", "Hashtable")},
    **{name: "array" for name in ("array", "list", "tuple", "ArrayList", "Array", "Queue", "Stack")},
    **{name: "integer" for name in ("integer", "byte", "short", "long", "Bigint")},
    **{name: "number" for name in ("number", "float", "double")},
    **{name: "boolean" for name in ("boolean", "bool", "Boolean")},
}
"""What the data set's own types are in JSON Schema; those missing here are strings, but for `any`."""
_KEPT = ("description", "enum", "default", "minimum", "maximum", "pattern", "minItems", "maxItems")
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_-]")


@record
class Question:
    """An official question with what is needed to play and to check it."""

    task: Task
    entry: Json
    """The official entry, as its checkers take it."""
    ground_truth: list[Any] | None
    """The official answer; `None` where calling a function at all is what counts."""
    tools: tuple[ToolSpec, ...]
    """What is offered from the beginning."""
    later: dict[int, tuple[ToolSpec, ...]]
    """What is offered from a turn on, by its index."""
    names: dict[str, str]
    """Official names by the names that the agent is shown, of all tools."""

    @property
    def category(self) -> str:
        """The official category."""
        return self.task.domain


def questions(category: str, loaded: Sequence[Json], added: str) -> tuple[Question, ...]:
    """A category as `official.py` loads it; `added` is said by the user where a turn only brings functions.

    Raises:
        DataError: two functions of a question would have the same name without their dots, or a question is not of
            the official form.
    """
    return tuple(_question(category, item, added) for item in loaded)


def _question(category: str, loaded: Json, added: str) -> Question:
    read = _dialogue if category.startswith("multi_turn") else _single
    try:
        return read(category, loaded, added)
    except (KeyError, TypeError, AttributeError, ValueError, IndexError, SyntaxError) as error:
        problem = f"no question of this category's form: {type(error).__name__} {str(error)[:100]}"
        raise DataError(f"BFCL's questions of {category}", problem, next_step="make bfcl") from error


def shown_name(official: str) -> str:
    """A function's name as the agent is shown it."""
    return _NOT_IN_NAMES.sub("_", official)


def json_schema(official: Mapping[str, Any]) -> Json:
    """A parameter's schema in JSON Schema."""
    kind = official.get("type", "string")
    found: Json = {} if kind in ("any", "Any") else {"type": _TYPES.get(kind, "string")}
    found |= {key: official[key] for key in _KEPT if key in official}
    if isinstance(properties := official.get("properties"), dict):
        found["properties"] = {name: json_schema(each) for name, each in properties.items()}
        found["required"] = [name for name in official.get("required", ()) if name in properties]
    if isinstance(items := official.get("items"), dict):
        found["items"] = json_schema(items)
    return found


def _specs(functions: Sequence[Json]) -> tuple[ToolSpec, ...]:
    return tuple(
        ToolSpec(
            shown_name(each["name"]),
            each["description"],
            {"properties": {}, **json_schema({**each["parameters"], "type": "object"})},
            ToolKind.FUNCTION,
        )
        for each in functions
    )


def _names(question: str, functions: Sequence[Json]) -> dict[str, str]:
    names = {shown_name(each["name"]): each["name"] for each in functions}
    if len(names) < len({each["name"] for each in functions}):
        raise DataError(f"BFCL's question {question!r}", "two functions have the same name once dots are gone")
    return names


def _single(category: str, loaded: Json, _added: str) -> Question:
    entry, truth = loaded["entry"], loaded["ground_truth"]
    tools, names = _specs(loaded["shown"]), _names(entry["id"], loaded["shown"])
    calls = answer_calls(truth, entry["function"], category) if truth else []
    shown = tuple(ToolCall(shown_name(call.name), call.arguments) for call in calls)
    answer = Answer(AnswerType.UNANSWERABLE) if "irrelevance" in category else _SECRET
    gold = Gold(answer, (CallTools(shown),) if shown else (), says=_NO_GOLD if answer is _SECRET and not shown else "")
    *before, last = list(_exchanges(entry["question"][0]))
    rules = tuple(Rule(message["content"]) for message in entry["question"][0] if message["role"] == "system")
    task = Task(
        id=entry["id"],
        suite=SUITE,
        domain=category,
        turns=(Turn(last.query, gold),),
        rules=rules,
        data={"split": "test", TOOLS: tools_data(tools)},
        earlier=tuple(before),
    )
    return Question(task, {"id": entry["id"], "function": entry["function"]}, truth, tools, {}, names)


def _exchanges(messages: Sequence[Json]) -> Iterator[Exchange]:
    """What was said before and is answered, and at last what is not; messages of one speaker in a row are one."""
    said: list[str] = []
    for message in messages:
        match message["role"]:
            case "user":
                said.append(message["content"])
            case "assistant":
                yield Exchange("\n".join(said), message["content"])
                said = []
    yield Exchange("\n".join(said), "")


def _dialogue(category: str, loaded: Json, added: str) -> Question:
    entry, truth = loaded["entry"], loaded["ground_truth"]
    missing = {int(turn): functions for turn, functions in entry.get("missed_function", {}).items()}
    functions = [*loaded["shown"], *(each for group in missing.values() for each in group)]
    order = {each["name"]: tuple(each["parameters"]["properties"]) for each in functions}
    turns = [
        Turn(_query(messages, missing.get(index), added), _script(texts, order))
        for index, (messages, texts) in enumerate(zip(entry["question"], truth, strict=True))
    ]
    task = Task(id=entry["id"], suite=SUITE, domain=category, turns=tuple(turns), data={"split": "test"})
    kept = {key: entry[key] for key in ("id", "initial_config", "involved_classes")}
    later = {turn: _specs(group) for turn, group in missing.items()}
    names = _names(entry["id"], functions)
    return Question(task, {**kept, "callable": sorted(order)}, truth, _specs(loaded["shown"]), later, names)


def _query(messages: Sequence[Json], functions: Sequence[Json] | None, added: str) -> str:
    if not functions:
        return "\n".join(message["content"] for message in messages)
    told = [
        {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        for tool in _specs(functions)
    ]
    return f"{json.dumps(told, ensure_ascii=False)}\n{added}"


def _script(texts: Sequence[str], parameters: Mapping[str, Sequence[str]]) -> Gold:
    calls = (call_of_text(text, parameters) for text in texts)
    return Gold(_SECRET, tuple(CallTools((call,)) for call in calls), in_order=True, says="Done.")
