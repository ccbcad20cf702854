"""Task files are read whole or not at all."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import orjson
import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.files import read_tasks, write_tasks
from agentbench.types import Task


def test_tasks_come_back_as_they_were_written(tmp_path: Path, film_task: Task, two_turns: Task) -> None:
    write_tasks(tmp_path / "a" / "test.jsonl", [film_task, two_turns])
    assert read_tasks(tmp_path / "a" / "test.jsonl") == (film_task, two_turns)


def test_an_unknown_key_is_named_with_its_line(tmp_path: Path, film_task: Task) -> None:
    broken = {**orjson.loads(orjson.dumps(film_task)), "domian": "films"}
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps(film_task) + b"\n" + orjson.dumps(broken) + b"\n")
    with pytest.raises(DataError, match=r"line 2: unknown key 'domian', did you mean 'domain'\?"):
        read_tasks(path)


def test_a_mistyped_key_is_named_rather_than_the_one_it_leaves_missing(tmp_path: Path, film_task: Task) -> None:
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps(film_task).replace(b'"domain"', b'"domian"') + b"\n")
    with pytest.raises(DataError, match=r"line 1: unknown key 'domian', did you mean 'domain'\?"):
        read_tasks(path)


def test_a_broken_line_is_named(tmp_path: Path, film_task: Task) -> None:
    path = tmp_path / "test.jsonl"
    path.write_bytes(orjson.dumps(film_task) + b"\n{not json\n")
    with pytest.raises(DataError, match="line 2"):
        read_tasks(path)


def test_empty_lines_are_passed_over(tmp_path: Path, film_task: Task) -> None:
    (tmp_path / "test.jsonl").write_bytes(b"\n" + orjson.dumps(film_task) + b"\n\n")
    assert read_tasks(tmp_path / "test.jsonl") == (film_task,)


def test_a_task_without_turns_is_none(tmp_path: Path, film_task: Task) -> None:
    write_tasks(tmp_path / "test.jsonl", [dataclasses.replace(film_task, turns=())])
    with pytest.raises(DataError, match=r"line 1: the task 'films-1' has no turn"):
        read_tasks(tmp_path / "test.jsonl")


@pytest.mark.parametrize(("kind", "value"), [("number", "x"), ("text", 4.5), ("items", "a"), ("unanswerable", "no")])
def test_a_gold_answer_is_of_its_type(tmp_path: Path, film_task: Task, kind: str, value: object) -> None:
    line = orjson.loads(orjson.dumps(film_task))
    line["turns"][0]["gold"]["answer"] = {"type": kind, "value": value}
    (tmp_path / "test.jsonl").write_bytes(orjson.dumps(line))
    with pytest.raises(DataError, match=rf"line 1: turns\.0\.gold\.answer\.value: .* is no answer of type {kind}"):
        read_tasks(tmp_path / "test.jsonl")


def test_an_id_may_stand_only_once(tmp_path: Path, film_task: Task) -> None:
    write_tasks(tmp_path / "test.jsonl", [film_task, film_task])
    with pytest.raises(DataError, match="a second time"):
        read_tasks(tmp_path / "test.jsonl")


def test_a_missing_file_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(PreflightError) as raised:
        read_tasks(tmp_path / "test.jsonl")
    assert raised.value.next_step == "python -m agentbench.prepare"
