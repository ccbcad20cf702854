"""xLAM's file format, and how its questions are parted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agentbench.config.tasks import Split
from agentbench.errors import DataError, PreflightError
from agentbench.tasks.calls.questions import Question, divided, offering, task_of
from agentbench.tasks.calls.xlam import read_xlam
from agentbench.tasks.own_tools import own_tools
from agentbench.types import ToolCall
from tests.tasks.call_rows import TIME, call, row, write


def test_a_row_gives_question_functions_and_calls(tmp_path: Path) -> None:
    (question,) = read_xlam(write(tmp_path / "rows.json", row(7))).kept
    assert (question.id, question.query) == ("7", "Question 7?")
    assert question.calls == (ToolCall("get_weather", {"city": "Town 7"}),)
    assert [tool.name for tool in question.tools] == ["get_weather", "local_time"]


def test_required_is_what_is_neither_optional_nor_has_a_default(tmp_path: Path) -> None:
    (question,) = read_xlam(write(tmp_path / "rows.json", row(1))).kept
    schema = question.tools[0].parameters
    assert schema["required"] == ["city"]
    assert schema["properties"]["days"] == {"type": "integer", "description": "How many days.", "default": 1}


def test_one_row_per_line_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row(number)) for number in range(3)) + "\n\n")
    listed = read_xlam(write(tmp_path / "rows.json", *map(row, range(3))))
    assert read_xlam(tmp_path / "rows.jsonl") == listed


@pytest.mark.parametrize(
    ("broken", "problem"),
    [
        (row(5, query=""), r"row 2 \(id 5\): 'query' is a text, not ''"),
        (row(5, answers="[{"), r"row 2 \(id 5\): 'answers' is a text that is no JSON"),
        (row(5, tools='{"name": "x"}'), r"row 2 \(id 5\): 'tools' is a list, not dict"),
        (row(5, tools='[{"name": "x"}]'), r"row 2 \(id 5\): a function in 'tools' is"),
        (row(5, answers='[{"name": "x"}]'), r"row 2 \(id 5\): a call in 'answers' is"),
        ({"id": 5, "query": "?"}, r"row 2 \(id 5\): 'tools' is missing"),
        ("text", "row 2: a row is an object, not str"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, broken: Any, problem: str) -> None:
    with pytest.raises(DataError, match=r"rows\.json: " + problem):
        read_xlam(write(tmp_path / "rows.json", row(1), broken))


def test_a_file_that_is_not_there_or_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text("[{]")
    with pytest.raises(DataError, match=r"odd\.json, line 1: no valid JSON"):
        read_xlam(tmp_path / "odd.json")
    with pytest.raises(PreflightError, match="cannot be read: No such file"):
        read_xlam(tmp_path / "none.json")


def test_an_id_that_stands_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the id '1' stands there a second time"):
        read_xlam(write(tmp_path / "rows.json", row(1), row(1)))


def test_questions_that_nobody_can_answer_are_left_out_and_counted(tmp_path: Path) -> None:
    twice = row(3, call("local_time", city="Rome"), tools=json.dumps([TIME, TIME]))
    found = read_xlam(write(tmp_path / "rows.json", row(1), row(2, call("fly")), twice))
    assert [question.id for question in found.kept] == ["1"]
    assert found.left_out == {
        "a right call is to no function on offer": 1,
        "two functions on offer have the same name": 1,
    }


def questions(count: int) -> list[Question]:
    return [Question(str(number), "town", f"Question {number}?", (), ()) for number in range(count)]


def test_eight_of_ten_questions_are_for_training_and_none_is_on_two_sides() -> None:
    parts = divided(questions(50), seed=0)
    assert {split: len(part) for split, part in parts.items()} == {"train": 40, "validation": 5, "test": 5}
    assert len({question.id for part in parts.values() for question in part}) == 50


def test_the_seed_draws_the_parts() -> None:
    again, other = divided(questions(50), seed=0), divided(questions(50), seed=1)
    assert again == divided(questions(50), seed=0) and again != other


def test_questions_in_the_same_words_stay_together() -> None:
    alike = [each._replace(query=f" QUESTION {int(each.id) % 25}? ") for each in questions(50)]
    parts = divided(alike, seed=0).values()
    sides = [{question.query for question in part} for part in parts]
    assert sum(map(len, sides)) == len(set.union(*sides)) == 25


def test_a_task_holds_its_own_functions_and_is_named_as_its_calls_are(tmp_path: Path) -> None:
    both = call("get_weather", city="Rome"), call("local_time", city="Rome")
    path = write(tmp_path / "rows.json", row(1), row(2, both[0], both[0]), row(3, *both))
    tasks = [task_of(question, "xlam", Split.TEST) for question in read_xlam(path).kept]
    assert [task.data["scenario"] for task in tasks] == ["multiple", "parallel", "parallel_multiple"]
    assert tasks[0].id == "xlam-1" and [tool.name for tool in own_tools(tasks[0])] == ["get_weather", "local_time"]


def test_fewer_functions_keep_those_that_are_needed(tmp_path: Path) -> None:
    (question,) = read_xlam(write(tmp_path / "rows.json", row(1, call("local_time", city="Rome")))).kept
    assert [tool.name for tool in offering(question, 1).tools] == ["local_time"]
    assert offering(question, 2) == question
