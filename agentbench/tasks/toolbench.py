"""ToolBench's traces (`…_answer/*.json`) as trajectories: what ChatGPT did with real APIs, to train on.

A trace holds a tree of attempts; what is read is the way that the data set itself trains on, the last of its
`train_messages`. `Finish` becomes an answer, results with an error become failed calls, and a trace that gave up has no
answer. `answer` is 1 for a trace that gave one: that it is right has been checked by nobody.

Files of its evaluation (`tooleval_results`) hold messages cut at 100 characters, and are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.own_tools import TOOLS, tools_data
from agentbench.types import (
    Action,
    Answer,
    AnswerType,
    CallTools,
    Decision,
    EndReason,
    Final,
    Gold,
    History,
    Malformed,
    Observation,
    Outcome,
    Score,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Trajectory,
    Turn,
)

SUITE = "toolbench"
_FINISH = "Finish"
_ANSWERED = "give_answer"
_FOLDER = re.compile(r"(\w+)_answer")
_NUMBER = re.compile(r"(\d+)_")

Json = dict[str, Any]


def trace_files(folder: Path) -> tuple[Path, ...]:
    """The files with traces below a folder, in order.

    Raises:
        PreflightError: there is none.
    """
    found = [path for path in sorted(folder.rglob("*.json")) if _FOLDER.fullmatch(path.parent.name)]
    if not found:
        raise PreflightError(f"no trace below {str(folder)!r}: they lie in folders named G1_answer and the like")
    return tuple(found)


def read_trace(path: Path) -> Trajectory | None:
    """The trajectory of a file; `None` where the data set itself has nothing to train on.

    Raises:
        DataError: the file holds something else.
    """
    try:
        whole = orjson.loads(path.read_bytes())
        found: Json = whole["answer_generation"]
        messages: Sequence[Sequence[Json]] = found.get("train_messages") or ()
        return _trajectory(path, found, messages[-1]) if messages else None
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"no JSON: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(path, f"no trace of ToolBench: {type(error).__name__} {error}") from error


def _trajectory(path: Path, found: Json, messages: Sequence[Json]) -> Trajectory:
    tools = tuple(_spec(each) for each in found["function"] if each["name"] != _FINISH)
    folder, number = _FOLDER.fullmatch(path.parent.name), _NUMBER.match(path.name)
    group = folder[1] if folder else path.parent.name
    task = Task(
        id=f"{SUITE}-{group}-{number[1] if number else path.stem}",
        suite=SUITE,
        domain=group,
        turns=(Turn(_text(found["query"]), Gold(Answer(AnswerType.TEXT, None))),),
        data={"split": "train", TOOLS: tools_data(tools)},
    )
    steps = tuple(_steps(messages))
    answered = bool(steps) and isinstance(steps[-1].decision.action, Final)
    score = Score("answer", float(answered), "the trace ends with an answer" if answered else "the trace gave up")
    end = EndReason.FINAL if answered else EndReason.HORIZON
    return Trajectory(task, History(tools, Observation(_text(found["query"])), steps), end, (score,))


def _spec(function: Json) -> ToolSpec:
    parameters = {key: value for key, value in function["parameters"].items() if key != "optional"}
    return ToolSpec(_text(function["name"]), _text(function["description"]), parameters, ToolKind.API)


def _text(given: Any) -> str:
    """A text, empty where there is none.

    Raises:
        TypeError: it is something else.
    """
    if given is not None and not isinstance(given, str):
        raise TypeError(f"{str(given)[:80]!r} stands where a text should be")
    return given or ""


def _steps(messages: Sequence[Json]) -> Iterator[Step]:
    thought = ""
    for index, message in enumerate(messages):
        if message["role"] != "assistant":
            continue
        call = message.get("function_call")
        if call is None:
            thought = _text(message["content"])
            continue
        thought = _text(message.get("content")) or thought
        action = _action(call, thought)
        if action is not None:
            yield _step(action, messages[index + 1] if index + 1 < len(messages) else {})
        thought = ""


def _action(call: Json, thought: str) -> Action | None:
    """What a function call stands for; `None` for giving up."""
    name, text = _text(call["name"]), _text(call["arguments"])
    try:
        arguments = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return Malformed(text, f"arguments of {name!r} are no JSON: {error}")
    if not isinstance(arguments, dict):
        return Malformed(text, f"arguments of {name!r} are no JSON object")
    if name != _FINISH:
        return CallTools((ToolCall(name, arguments),), thought)
    answered = arguments.get("return_type") == _ANSWERED
    return Final(str(arguments.get("final_answer", "")), thought) if answered else None


def _step(action: Action, result: Json) -> Step:
    match action:
        case Final():
            return Step(Decision(action), Observation(""), StepCategory.UNJUDGED_FINAL)
        case Malformed():
            observation = Observation(_text(result.get("content")), Outcome.MALFORMED)
            return Step(Decision(action), observation, StepCategory.MALFORMED)
        case CallTools():
            text = _text(result.get("content"))
            failed = _has_error(text)
            category = StepCategory.TOOL_ERROR if failed else StepCategory.OTHER_CALL
            return Step(Decision(action), Observation(text, Outcome.TOOL_ERROR if failed else Outcome.OK), category)


def _has_error(text: str) -> bool:
    """Whether a result names an error; results are JSON objects with `error` and `response`, sometimes cut."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and bool(found.get("error"))
