"""The submission format, written and read."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import orjson
import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.scoring.steps import StepGrader
from agentbench.tasks.vakra.export import MISSING, read_submission, write_submission
from agentbench.types import (
    Action,
    CallTools,
    Decision,
    EndReason,
    Final,
    History,
    Malformed,
    Observation,
    Step,
    StepCategory,
    Task,
    ToolCall,
    ToolKind,
    Trajectory,
)

GRADE = StepGrader(dict.fromkeys(StepCategory, 0.0))
SEARCH = ToolCall("retrieve_documents", {"collection": "people", "query": "Lee", "top_k": 4})
CALLS = CallTools((ToolCall("get_film_director", {"title": "Robbery"}),)), CallTools((SEARCH,))


@pytest.fixture
def task(film_task: Task) -> Task:
    data = {**film_task.data, "capability": 4, "uuid": "u-1", "turn_id": 2}
    return dataclasses.replace(film_task, data=data)


def played(task: Task, *actions: Action, end: EndReason = EndReason.FINAL, error: str = "") -> Trajectory:
    steps = tuple(Step(Decision(action), Observation("{}"), StepCategory.OTHER_CALL) for action in actions)
    return Trajectory(task, History((), Observation(""), steps), end, error=error, seconds=1.5)


def written(folder: Path, *trajectories: Trajectory) -> list[dict[str, Any]]:
    (path,) = write_submission(folder, trajectories)
    return orjson.loads(path.read_bytes())


def test_a_record_has_the_published_form(tmp_path: Path, task: Task) -> None:
    (record,) = written(tmp_path, played(task, *CALLS, Malformed("?", "no call"), Final("Stroud")))
    calls = [
        {"name": "get_film_director", "arguments": {"title": "Robbery"}},
        {"name": "query_people", "arguments": {"question": "Lee", "n_results": 4}},
    ]
    turn = {"turn_id": 2, "query": task.turns[0].query, "answer": "Stroud", "sequence": {"tool_call": calls}}
    assert record == {
        "uuid": "u-1", "domain": "films", "status": "success", "error": "", "duration_s": 1.5, "output": [turn]
    }  # fmt: skip


def test_files_are_one_per_capability_and_domain_and_ordered(tmp_path: Path, task: Task, film_task: Task) -> None:
    other = dataclasses.replace(task, data={**task.data, "uuid": "u-0"})
    files = write_submission(tmp_path, [played(task), played(film_task), played(other)])
    assert files == (tmp_path / "capability_4/films.json", tmp_path / "films.json")
    assert [record["uuid"] for record in orjson.loads(files[0].read_bytes())] == ["u-0", "u-1"]
    assert orjson.loads(files[1].read_bytes())[0]["uuid"] == film_task.id


ENDS = {
    "out of steps": (EndReason.HORIZON, "", "no answer: horizon"),
    "a dead server": (EndReason.ERROR, "LlmError: gone", "LlmError: gone"),
}


@pytest.mark.parametrize(("end", "error", "expected"), ENDS.values(), ids=ENDS)
def test_no_answer_is_an_error(tmp_path: Path, task: Task, end: EndReason, error: str, expected: str) -> None:
    (record,) = written(tmp_path, played(task, CALLS[0], end=end, error=error))
    assert (record["status"], record["error"], record["output"][0]["answer"]) == ("error", expected, "")


def test_the_same_task_twice_is_refused(tmp_path: Path, task: Task) -> None:
    with pytest.raises(DataError, match="two trajectories of the task 'films-1'"):
        write_submission(tmp_path, [played(task), played(task)])


def test_a_domain_that_is_a_path_stays_in_the_folder(tmp_path: Path, task: Task) -> None:
    outward = dataclasses.replace(task, domain="../../films", data={**task.data, "capability": "../4"})
    (path,) = write_submission(tmp_path / "vakra", [played(outward)])
    assert path == tmp_path / "vakra" / "capability_.._4" / ".._.._films.json"


def test_nothing_but_the_files_is_left(tmp_path: Path, task: Task) -> None:
    written(tmp_path, played(task))
    written(tmp_path, played(task, Final("again")))
    assert [path.name for path in tmp_path.rglob("*.json*")] == ["films.json"]


def test_a_submission_reads_back_as_it_was_played(tmp_path: Path, task: Task) -> None:
    before = played(task, *CALLS, Final("Stroud"))
    written(tmp_path, before)
    (again,) = read_submission(tmp_path, [task], GRADE)
    assert [step.decision for step in again.history.steps] == [step.decision for step in before.history.steps]
    assert (again.end, again.seconds) == (before.end, before.seconds)
    assert again.history.steps[-1].category is StepCategory.CORRECT_FINAL
    assert {spec.name: spec.kind for spec in again.history.tools}["retrieve_documents"] is ToolKind.RETRIEVER


def test_recorded_responses_become_observations(tmp_path: Path, task: Task) -> None:
    (record,) = written(tmp_path, played(task, *CALLS, Final("Stroud")))
    record["output"][0]["sequence"]["tool_response"] = ['{"director": ["Jack Lee"]}', ["a", "b"]]
    (tmp_path / "films.json").write_bytes(orjson.dumps([record]))
    (again,) = read_submission(tmp_path / "films.json", [task], GRADE)
    texts = [step.observation.text for step in again.history.steps]
    assert texts == ['{"director": ["Jack Lee"]}', '["a","b"]', ""]


def test_a_failed_prediction_keeps_its_error(tmp_path: Path, task: Task) -> None:
    written(tmp_path, played(task, CALLS[0], end=EndReason.ERROR, error="LlmError: gone"))
    (again,) = read_submission(tmp_path, [task], GRADE)
    assert (again.end, again.error, len(again.history.steps)) == (EndReason.ERROR, "LlmError: gone", 1)


def test_a_task_nobody_predicted_is_missing(tmp_path: Path, task: Task) -> None:
    written(tmp_path, played(task, Final("Stroud")))
    absent = dataclasses.replace(task, data={**task.data, "uuid": "u-9"})
    (again,) = read_submission(tmp_path, [absent], GRADE)
    assert (again.end, again.error, again.history.steps) == (EndReason.ERROR, MISSING, ())


def test_an_empty_folder_has_no_predictions(tmp_path: Path, task: Task) -> None:
    with pytest.raises(PreflightError, match="no predictions in"):
        read_submission(tmp_path, [task], GRADE)


TURN = b'"uuid": "u", "domain": "d", "output": [{"query": "q"}]'
BROKEN = {
    "a time that is none": (b'[{%b, "duration_s": "soon"}]' % TURN, "record 'u': duration_s is 'soon', not a number"),
    "no turns": (b'[{"uuid": "u", "domain": "d", "output": "[]"}]', "record 'u': it has no turns"),
    "no JSON": (b"[", "no JSON"),
    "no list": (b"{}", "not a list of predictions"),
    "no output": (b'[{"uuid": "u", "domain": "d", "turns": [{"query": "q"}]}]', "record 'u': it holds no output"),
}


@pytest.mark.parametrize(("content", "complaint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_file_is_named(tmp_path: Path, task: Task, content: bytes, complaint: str) -> None:
    (tmp_path / "films.json").write_bytes(content)
    with pytest.raises(DataError, match=r"films\.json") as error:
        read_submission(tmp_path, [task], GRADE)
    assert complaint in str(error.value)
