"""Requests from templates: gold that was executed, splits that share nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentbench.config.tasks import Split
from agentbench.errors import DataError
from agentbench.types import Answer, AnswerType, Task, ToolCall
from agentbench.worlds.templated import SHIPPED, read_templates, templated_tasks

TWO_CALLS = """
- name: twice
  wordings: ["Double {n}.", "Twice {n}?", "{n} two times?", "2 x {n}?", "{n} doubled?"]
  slots: {n: {from: 1, to: 40}}
  calls:
    - {tool: add, arguments: {a: "{n}", b: "{n}"}}
    - {tool: say, arguments: {text: "It is {1.sum}."}}
  answer: "{1.sum}"
"""


def execute(call: ToolCall) -> Any:
    return {"sum": call.arguments["a"] + call.arguments["b"]} if call.name == "add" else {"said": [1, 2]}


def tasks(text: str, tmp_path: Path, split: Split, count: int = 40) -> list[Task]:
    path = tmp_path / "requests.yaml"
    path.write_text(text)
    (group,) = templated_tasks(read_templates(path), split, count, execute)
    return group


def test_a_field_that_stands_alone_keeps_its_type_and_results_fill_later_calls(tmp_path: Path) -> None:
    task = tasks(TWO_CALLS, tmp_path, Split.TEST)[0]
    first, second = (action.calls[0] for action in task.turns[0].gold.actions)
    n = first.arguments["a"]
    assert isinstance(n, int) and second.arguments == {"text": f"It is {2 * n}."}
    assert task.turns[0].gold.answer == Answer(AnswerType.NUMBER, 2.0 * n)


def test_splits_share_neither_wordings_nor_values(tmp_path: Path) -> None:
    found = {split: tasks(TWO_CALLS, tmp_path, split) for split in Split}
    values = {split: {task.turns[0].gold.answer.value for task in group} for split, group in found.items()}
    assert len(set.union(*values.values())) == sum(map(len, values.values()))
    assert all(
        task.turns[0].query.startswith(("Double", "Twice")) or "two times" in task.turns[0].query
        for task in found[Split.TRAIN]
    )  # 60 % of five wordings
    assert all(task.turns[0].query.endswith("doubled?") for task in found[Split.TEST])
    assert [task.data["split"] for task in found[Split.VALIDATION]] == ["validation"] * len(found[Split.VALIDATION])


def test_the_same_file_gives_the_same_tasks(tmp_path: Path) -> None:
    assert tasks(TWO_CALLS, tmp_path, Split.TEST) == tasks(TWO_CALLS, tmp_path, Split.TEST)


def test_there_are_as_many_as_values_allow(tmp_path: Path) -> None:
    few = TWO_CALLS.replace("{from: 1, to: 40}", "{any_of: [3, 4, 5, 6, 7]}")
    assert [len(tasks(few, tmp_path, split)) for split in Split] == [3, 1, 1]  # 60, 20 and 20 % of five


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{1.sum}.", "{1.summ}.", "'twice': {1.summ} stands for nothing at 'summ'"),
        ('"Double {n}.", "Twice {n}?", "{n} two times?", ', "", "wordings: .*at least 3"),
        ("calls:", "cals:", r"0\.calls: Field required"),
        ("- name: twice", "- name: [", "requests.yaml: while parsing"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(old: str, new: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=problem) as error:
        tasks(TWO_CALLS.replace(old, new), tmp_path, Split.TRAIN)
    assert "\n" not in str(error.value)


def test_those_that_come_along_have_wordings_for_every_split() -> None:
    templates = read_templates(SHIPPED)
    assert len({template.name for template in templates}) == len(templates) == 8
    assert all(len(set(template.wordings)) == 10 for template in templates)
