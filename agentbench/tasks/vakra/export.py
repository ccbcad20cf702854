"""VAKRA's submission format: written from trajectories, and read to score what others predicted.

One file per capability and domain, `capability_2/films.json`: a list of records with uuid, domain, status, error,
duration_s and the one turn that was answered, with its calls. Tasks that are not VAKRA's go to `films.json` beside
them, under their own id. Document searches are called `query_<collection>` there, all other calls stand as they were
made: handles are those that the environment gave (`env.contract=vakra` gives the peer's).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from agentbench.app.writing import write_whole
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.vakra.reading import is_search
from agentbench.tasks.vakra.records import VakraCall, VakraTurn, read_record
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    EndReason,
    Final,
    History,
    Observation,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    ToolSpec,
    Trajectory,
)

MISSING = "MissingPrediction: the predictions hold nothing for this task"
_NEXT = "give a folder of VAKRA's output files, or one of them; eval export=vakra writes them to vakra/ in its folder"
Grade = Callable[[Task, History, Action, Observation], tuple[StepCategory, float]]


def write_submission(folder: Path, trajectories: Iterable[Trajectory]) -> tuple[Path, ...]:
    """Writes the files below the folder and gives their paths; each is there whole or not at all.

    Records are ordered by uuid and turn. An episode that came to no answer counts as an error. Of a domain's name, what
    is no letter, digit, `_`, `-` or dot stands as `_` in the file's.

    Raises:
        DataError: two trajectories are of the same task.
    """
    files: dict[Path, dict[tuple[str, int], dict[str, Any]]] = {}
    for trajectory in trajectories:
        task = trajectory.task
        capability = task.data.get("capability")
        path = (
            folder / (_file_name(f"capability_{capability}") if capability else "") / f"{_file_name(task.domain)}.json"
        )
        records = files.setdefault(path, {})
        key = (_uuid(task), int(task.data.get("turn_id", 0)))
        if key in records:
            raise DataError(path, f"two trajectories of the task {task.id!r}; a submission holds one")
        records[key] = _written(trajectory, key)
    for path, records in files.items():
        content = orjson.dumps([records[key] for key in sorted(records)], option=orjson.OPT_INDENT_2)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content + b"\n")
    return tuple(sorted(files))


def read_submission(folder: Path, tasks: Iterable[Task], grade: Grade) -> tuple[Trajectory, ...]:
    """A trajectory for each task, in order, from the predictions in a file or below a folder.

    Calls get the tool responses that the predictions hold as observations, empty ones where they hold none; `grade` is
    only asked about answers, since such responses are not ours to follow references in. A task nobody predicted has a
    trajectory without steps that ended with the error `MISSING`.

    Raises:
        PreflightError: there are no predictions.
        DataError: a file is no list of predictions, or two are for the same task.
    """
    predictions = _predictions(folder)
    return tuple(_trajectory(task, _prediction(task, predictions), grade) for task in tasks)


_Key = tuple[str, str, str]
"""Domain, uuid and the question."""


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text)


def _uuid(task: Task) -> str:
    return str(task.data.get("uuid") or task.id)


def _written(trajectory: Trajectory, key: tuple[str, int]) -> dict[str, Any]:
    task, actions = trajectory.task, [step.decision.action for step in trajectory.history.steps]
    finals = [action.answer for action in actions if isinstance(action, Final)]
    answered = trajectory.end is not EndReason.ERROR and len(finals) == len(task.turns)
    turn = {
        "turn_id": key[1],
        "query": task.turns[-1].query,
        "answer": finals[-1] if len(finals) == len(task.turns) else "",
        "sequence": {"tool_call": list(_calls(actions))},
    }
    error = "" if answered else trajectory.error or f"no answer: {trajectory.end.value}"
    return {
        "uuid": key[0],
        "domain": task.domain,
        "status": "success" if answered else "error",
        "error": error,
        "duration_s": trajectory.seconds,
        "output": [turn],
    }


def _calls(actions: Iterable[Action]) -> Iterator[dict[str, Any]]:
    for action in actions:
        for call in action.calls if isinstance(action, CallTools) else ():
            match call:
                case ToolCall("retrieve_documents", {"collection": str(name), "query": words, **rest}):
                    number = {"n_results": rest.pop("top_k")} if "top_k" in rest else {}
                    yield {"name": f"query_{name}", "arguments": {"question": words, **number, **rest}}
                case ToolCall(name, arguments):
                    yield {"name": name, "arguments": arguments}


def _predictions(place: Path) -> dict[_Key, Mapping[str, Any]]:
    files = [place] if place.is_file() else sorted(place.rglob("*.json"))
    found: dict[_Key, Mapping[str, Any]] = {}
    for path in files:
        for value in _listed(path):
            gold = read_record(value, path).gold
            if gold is None:
                raise DataError(path, f"record {value.get('uuid')!r}: it holds no output")
            key = (gold.domain, gold.uuid, gold.turns[-1].query.strip())
            if key in found:
                raise DataError(path, f"record {gold.uuid!r}: a second prediction for the same question")
            found[key] = {**value, "turn": gold.turns[-1], "duration_s": _seconds(value, path)}
    if not found:
        raise PreflightError(f"no predictions in {place}", _NEXT)
    return found


def _listed(path: Path) -> list[dict[str, Any]]:
    try:
        values = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise DataError(path, f"no JSON: {error.msg}", error.lineno) from None
    if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
        raise DataError(path, "not a list of predictions", next_step=_NEXT)
    return values


def _seconds(value: Mapping[str, Any], path: Path) -> float:
    given = value.get("duration_s") or 0.0
    if not isinstance(given, int | float):
        raise DataError(path, f"record {value.get('uuid')!r}: duration_s is {given!r}, not a number of seconds")
    return float(given)


def _prediction(task: Task, predictions: Mapping[_Key, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    return predictions.get((task.domain, _uuid(task), task.turns[-1].query.strip()))


def _trajectory(task: Task, prediction: Mapping[str, Any] | None, grade: Grade) -> Trajectory:
    history = History((), Observation(task.turns[0].query), earlier=task.earlier)
    if prediction is None:
        return Trajectory(task, history, EndReason.ERROR, error=MISSING)
    turn: VakraTurn = prediction["turn"]
    failed = prediction.get("status", "success") != "success"
    history = dataclasses.replace(history, tools=tuple(_specs(turn.calls)))
    for action, observation in _actions(turn, answered=not failed):
        graded = (StepCategory.OTHER_CALL, 0.0)
        if isinstance(action, Final):
            graded = grade(task, history, action, observation)
        step = Step(Decision(action), observation, *graded)
        history = dataclasses.replace(history, steps=(*history.steps, step))
    return Trajectory(
        task,
        history,
        EndReason.ERROR if failed else EndReason.FINAL,
        error=_text(prediction.get("error")) or "no reason given" if failed else "",
        seconds=prediction["duration_s"],
    )


def _specs(calls: Iterable[VakraCall]) -> Iterator[ToolSpec]:
    """The tools that were called, by name and kind: predictions say no more of them."""
    for name, is_retriever in {_ours(call).name: is_search(call) for call in calls}.items():
        yield ToolSpec(name, "", {"type": "object"}, ToolKind.RETRIEVER if is_retriever else ToolKind.API)


def _actions(turn: VakraTurn, answered: bool) -> Iterator[tuple[Action, Observation]]:
    for index, call in enumerate(turn.calls):
        response = turn.responses[index] if index < len(turn.responses) else ""
        yield CallTools((_ours(call),)), Observation(_text(response))
    if answered:
        yield Final(_text(turn.answer)), Observation("")


def _ours(call: VakraCall) -> ToolCall:
    if not call.name.startswith("query_") or "question" not in call.arguments:
        return ToolCall(call.name, call.arguments)
    renamed = {"question": "query", "n_results": "top_k"}
    arguments = {renamed.get(key, key): value for key, value in call.arguments.items()}
    return ToolCall("retrieve_documents", {"collection": call.name.removeprefix("query_"), **arguments})


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
