"""The benchmark's tasks as tasks of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentbench.errors import DataError, PreflightError
from agentbench.tasks.tau2 import ALL_DONE, GOES_ON, as_task, read_suite
from agentbench.types import Exchange, Task

from .town import write_town


def tasks(town: Path, domain: str, *refused: int) -> dict[str, Task]:
    suite = read_suite(town / domain, ["policy.md"])
    return {each.id: as_task(each, suite, domain, refused) for each in suite.tasks}


def test_gold_is_the_agent_s_reference_actions_and_what_has_to_be_told(town: Path) -> None:
    task = tasks(town, "retail")["modify"]
    (turn,) = task.turns
    assert [action.calls[0].name for action in turn.gold.actions] == ["get_order_details", "modify_pending_order_items"]
    assert (turn.query, turn.gold.says) == ("You want other variants of what is in order #1.", "7.5")
    assert (task.id, task.rules[0].text) == ("retail-modify", "Be kind.")


def test_the_user_s_reference_actions_are_asked_for_in_turns_that_add_up(town: Path) -> None:
    turns = tasks(town, "telecom")["roaming"].turns
    made = [[action.calls[0].name for action in turn.gold.actions] for turn in turns]
    assert made == [[], ["enable_roaming"], ["enable_roaming"]]
    assert [turn.gold.says for turn in turns] == [
        "Please do this now and tell me what you see: toggle_roaming.",
        "Please do this now and tell me what you see: reboot_device.",
        ALL_DONE,
    ]
    assert [turn.query for turn in turns[1:]] == [GOES_ON, GOES_ON]


def test_refused_reference_actions_are_no_gold(town: Path) -> None:
    task = tasks(town, "retail", 0)["misspelt"]
    assert [action.calls[0].name for action in task.turns[0].gold.actions] == ["cancel_pending_order"]
    assert (task.data["reference_actions"], task.data["refused_actions"]) == (2, 1)


def test_whatever_is_not_for_training_is_for_testing(town: Path) -> None:
    assert {task.id: task.data["split"] for task in tasks(town, "retail").values()} == {
        "retail-modify": "train",
        "retail-misspelt": "test",
        "retail-count": "test",
    }
    assert {task.data["split"] for task in tasks(town, "mock").values()} == {"test"}


def test_a_conversation_from_before_stands_in_front(town: Path) -> None:
    assert tasks(town, "mock")["goes_on"].earlier == (Exchange("Add a task: buy milk.", "Added as task_2."),)


def test_a_wrong_file_is_named_with_the_place(tmp_path: Path) -> None:
    folder = write_town(tmp_path) / "retail"
    (folder / "tasks.json").write_text('[{"id": "x"}]', encoding="utf-8")
    with pytest.raises(DataError, match=r"tasks\.json: 0\.user_scenario: Field required"):
        read_suite(folder, ["policy.md"])


def test_a_missing_file_is_named_with_what_to_do(town: Path) -> None:
    with pytest.raises(PreflightError, match=r"cannot read .*rules\.md: No such file") as caught:
        read_suite(town / "mock", ["rules.md"])
    assert caught.value.next_step.startswith("set env.root")
