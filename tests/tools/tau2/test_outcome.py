"""How a conversation comes out, from the records it leaves and what was said."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentbench.errors import DataError
from agentbench.tasks.tau2 import Basis, Criteria, Function, InitialState, Published, read_suite
from agentbench.tools.tau2.domains import DOMAINS, Databases, read_databases
from agentbench.tools.tau2.outcome import Conversation, Ends, verdict
from agentbench.tools.tau2.replay import begun, replayed
from agentbench.types import ToolCall, Verdict

from .town import MODIFIED

SHOP = DOMAINS["retail"]


@pytest.fixture(scope="module")
def databases(town: Path) -> Databases:
    return read_databases(town / "retail")


@pytest.fixture(scope="module")
def tasks(town: Path) -> dict[str, Published]:
    return {each.id: each for each in read_suite(town / "retail", ["policy.md"]).tasks}


def outcome(
    databases: Databases,
    task: Published,
    calls: Sequence[ToolCall],
    *said: str,
    ended: bool = True,
    judged: bool = True,
) -> Verdict:
    """The verdict on a conversation in which these calls were made, as far as they could be."""
    world = begun(SHOP, databases, task, parity=False)
    for call in calls:
        SHOP.call(world, call.name, call.arguments)
    ends = Ends(world, replayed(SHOP, databases, task, parity=False).world)
    talk = Conversation(said, calls, ended)
    return verdict(SHOP, task.evaluation_criteria, ends, talk, claims_count=judged)


MODIFY = ToolCall("modify_pending_order_items", MODIFIED)


def test_the_same_records_and_the_told_figure_solve_a_task(databases: Databases, tasks: dict[str, Published]) -> None:
    found = outcome(databases, tasks["modify"], [MODIFY], "That is $7.5 more.")
    assert (found.solved, found.parts) == (
        True,
        {"db": 1.0, "actions": 0.5, "communicate": 1.0},
    )  # the look-up is missing


def test_another_way_to_the_same_records_counts_as_well(databases: Databases, tasks: dict[str, Published]) -> None:
    turned = {**MODIFIED, "item_ids": MODIFIED["item_ids"][::-1], "new_item_ids": MODIFIED["new_item_ids"][::-1]}
    found = outcome(databases, tasks["modify"], [ToolCall(MODIFY.name, turned)], "7.5")
    assert (found.solved, found.parts["actions"]) == (True, 0.0)


@pytest.mark.parametrize(
    ("calls", "said", "ended", "why"),
    [
        ([], ["7.5"], True, "not as the reference: db"),
        ([MODIFY], ["8"], True, "not as the reference: communicate"),
        ([MODIFY], ["7.5"], False, "the user has not ended the conversation"),
    ],
)
def test_one_missing_part_leaves_a_task_unsolved(
    databases: Databases, tasks: dict[str, Published], calls: list[ToolCall], said: list[str], ended: bool, why: str
) -> None:
    found = outcome(databases, tasks["modify"], calls, *said, ended=ended)
    assert (found.solved, found.explanation) == (False, why)


def test_commas_and_case_do_not_hide_what_was_told(databases: Databases, tasks: dict[str, Published]) -> None:
    criteria = dataclasses.replace(tasks["modify"].evaluation_criteria, communicate_info=("1628", "Polyester"))
    task = dataclasses.replace(tasks["modify"], evaluation_criteria=criteria)
    assert outcome(databases, task, [MODIFY], "It is $1,628.", "All POLYESTER.").solved is True


def test_reference_actions_that_are_refused_are_left_out(databases: Databases, tasks: dict[str, Published]) -> None:
    assert replayed(SHOP, databases, tasks["misspelt"], parity=False).refused == (0,)  # the order "#l" does not exist
    cancel = ToolCall("cancel_pending_order", {"order_id": "#1", "reason": "no longer needed"})
    assert outcome(databases, tasks["misspelt"], [cancel]).solved is True


def test_statements_about_the_conversation_leave_the_verdict_open(
    databases: Databases, tasks: dict[str, Published]
) -> None:
    assert outcome(databases, tasks["count"], []).solved is None
    assert outcome(databases, tasks["count"], [], judged=False).solved is True
    assert outcome(databases, tasks["count"], [MODIFY]).solved is False  # whatever a judge would say


def test_without_reference_there_is_nothing_to_compare(databases: Databases, tasks: dict[str, Published]) -> None:
    task = dataclasses.replace(tasks["modify"], evaluation_criteria=Criteria())
    assert outcome(databases, task, [MODIFY]).parts == {"db": 1.0}


def test_only_the_arguments_that_are_named_have_to_be_the_same(
    databases: Databases, tasks: dict[str, Published]
) -> None:
    act = dataclasses.replace(tasks["modify"].acts[1], compare_args=("order_id",))
    criteria = Criteria(actions=(act,), reward_basis=(Basis.ACTION,))
    task = dataclasses.replace(tasks["modify"], evaluation_criteria=criteria)
    paid_otherwise = ToolCall(MODIFY.name, {**MODIFIED, "item_ids": ["mug-small"], "new_item_ids": ["mug-large"]})
    assert outcome(databases, task, [paid_otherwise]).solved is True


def test_a_beginning_that_its_domain_does_not_know_is_an_error_of_the_data(
    databases: Databases, tasks: dict[str, Published]
) -> None:
    state = InitialState(initialization_actions=(Function("set_fire", {}),))
    with pytest.raises(DataError, match="task modify: it cannot begin with set_fire: there is no tool 'set_fire'"):
        begun(SHOP, databases, dataclasses.replace(tasks["modify"], initial_state=state), parity=False)


def test_what_was_done_before_the_episode_is_part_of_its_beginning(town: Path) -> None:
    folder = town / "mock"
    (task, _) = read_suite(folder, ["policy.md"]).tasks
    world = begun(DOMAINS["mock"], read_databases(folder), task, parity=False)
    assert world.company.find("tasks", "task_2") == {
        "task_id": "task_2",
        "title": "Buy milk",
        "description": None,
        "status": "pending",
    }
