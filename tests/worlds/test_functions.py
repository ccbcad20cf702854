"""The embedded questions: in xLAM's format, answerable, and the same on every machine."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

from agentbench.envs.tool_env import argument_problem
from agentbench.tasks.calls.xlam import read_xlam
from agentbench.worlds.function_library import LIBRARY
from agentbench.worlds.functions import functions_file, rows

SEED = 3


def test_the_same_seed_writes_the_same_rows() -> None:
    assert list(rows(50, SEED)) == list(rows(50, SEED)) != list(rows(50, SEED + 1))


def test_no_question_is_asked_twice() -> None:
    asked = [row["query"] for row in rows(500, SEED)]
    assert len(set(asked)) == 500


def test_every_gold_call_satisfies_its_functions_schema(tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text(json.dumps(list(rows(500, SEED))))
    found = read_xlam(tmp_path / "rows.json")
    assert len(found.kept) == 500
    specs = [({tool.name: tool for tool in question.tools}, question.calls) for question in found.kept]
    assert not [
        problem
        for tools, calls in specs
        for call in calls
        if (problem := argument_problem(tools[call.name], call.arguments))
    ]


def test_every_function_and_every_number_of_calls_occurs() -> None:
    made = [json.loads(row["answers"]) for row in islice(rows(500, SEED), 500)]
    assert {call["name"] for calls in made for call in calls} == {function.name for function in LIBRARY}
    assert {len(calls) for calls in made} == {1, 2}


def test_the_file_is_written_once(tmp_path: Path) -> None:
    path = functions_file(tmp_path, SEED)
    path.write_text("kept")
    assert functions_file(tmp_path, SEED).read_text() == "kept"
