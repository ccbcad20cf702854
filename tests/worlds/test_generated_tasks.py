"""What every generated task file promises."""

from __future__ import annotations

from collections import Counter
from itertools import product

import pytest

from agentbench.config.env import Availability, Granularity, Scenario
from agentbench.config.tasks import Split
from agentbench.tasks.gold import references
from agentbench.tasks.tool_usage import read_rule
from agentbench.types import AnswerType, Task, ToolKind
from agentbench.worlds.embedded import EMBEDDED
from agentbench.worlds.policies import WORDINGS, PolicyKind

PAIRS = ((Split.TRAIN, Split.VALIDATION), (Split.TRAIN, Split.TEST), (Split.VALIDATION, Split.TEST))
per_world = pytest.mark.parametrize("name", EMBEDDED)


def used(tasks: tuple[Task, ...], key: str) -> set[str]:
    return {item for task in tasks for item in task.data[key]}


def last_answer(task: Task) -> AnswerType:
    return task.turns[-1].gold.answer.type


def needed(task: Task) -> set[ToolKind]:
    scenario = task.data["scenario"]
    kinds = {ToolKind.API} if "api" in scenario else set()
    return kinds | ({ToolKind.RETRIEVER} if "rag" in scenario else set())


@per_world
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_no_question_template_is_used_in_two_splits(worlds, name: str, first: Split, second: Split):
    assert not used(worlds.tasks(name, first), "templates") & used(worlds.tasks(name, second), "templates")


@per_world
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_no_entity_is_mentioned_in_two_splits(worlds, name: str, first: Split, second: Split):
    one, other = used(worlds.tasks(name, first), "entities"), used(worlds.tasks(name, second), "entities")
    assert not {item.split(":", 1)[1].casefold() for item in one} & {item.split(":", 1)[1].casefold() for item in other}


@per_world
def test_every_literal_in_a_gold_argument_is_a_listed_entity_or_a_category(worlds, name: str):
    for task in worlds.all_tasks(name):
        listed = {part for item in task.data["entities"] for part in item.split(":", 1)[1].split(" + ")}
        for turn in task.turns:
            for action in turn.gold.actions:
                for key, value in action.calls[0].arguments.items():
                    if key in ("title", "director", "country", "city", "element", "isotope") and "$" not in str(value):
                        assert str(value) in listed


@per_world
def test_as_many_tasks_as_asked_for_are_made(worlds, name: str):
    counts = [len(worlds.tasks(name, split)) for split in Split]
    assert counts == [300, 80, 120]


@per_world
def test_no_task_stands_twice(worlds, name: str):
    asked = [
        (task.data["tool_availability"], *(turn.query for turn in task.turns), *(rule.text for rule in task.rules))
        for task in worlds.all_tasks(name)
    ]
    assert len(set(asked)) == len(asked)


@per_world
def test_four_fifths_are_answerable(worlds, name: str):
    tasks = worlds.tasks(name, Split.TRAIN)
    answerable = sum(last_answer(task) is not AnswerType.UNANSWERABLE for task in tasks)
    assert abs(answerable - 240) <= 2


@per_world
def test_every_scenario_and_availability_occurs(worlds, name: str):
    tasks = worlds.tasks(name, Split.TRAIN)
    assert {task.data["scenario"] for task in tasks} == set(Scenario) - {Scenario.ANY}
    assert {task.data["tool_availability"] for task in tasks} == set(Availability) - {Availability.ANY}


@per_world
def test_availability_alone_does_not_tell_whether_there_is_an_answer(worlds, name: str):
    seen = {
        (task.data["tool_availability"], last_answer(task) is AnswerType.UNANSWERABLE)
        for task in worlds.all_tasks(name)
    }
    for availability in (Availability.BOTH_API_RAG, Availability.ONLY_API, Availability.ONLY_RAG):
        assert {(availability, True), (availability, False)} <= seen


@per_world
def test_a_rule_alone_does_not_tell_whether_there_is_an_answer(worlds, name: str):
    ruled = [task for task in worlds.all_tasks(name) if task.rules]
    seen = Counter((bool(task.rules[0].forbids), last_answer(task) is AnswerType.UNANSWERABLE) for task in ruled)
    assert seen[True, True] and seen[True, False] and seen[False, False] and seen[False, True]


def setting(task: Task) -> tuple[object, ...]:
    """The task's cell of the grid."""
    family, binds = task.data["policy"], task.data["policy_binds"]
    policy = (family if binds else "elsewhere") if family else "none"
    return task.data["tool_availability"], policy, task.data["scenario"]


def test_three_worlds_together_have_every_availability_with_every_policy_and_scenario(worlds):
    tasks = [task for name in EMBEDDED for task in worlds.tasks(name, Split.TRAIN)]
    single = {setting(task) for task in tasks if len(task.turns) == 1 and task.data["hops"]}
    availabilities, scenarios = set(Availability) - {Availability.ANY}, set(Scenario) - {Scenario.ANY}
    assert single == set(product(availabilities, PolicyKind, scenarios))


@per_world
def test_the_data_name_the_family_of_a_policy_and_whether_it_binds(worlds, name: str):
    for task in worlds.all_tasks(name):
        assert task.data["policy_binds"] == any(rule.forbids for rule in task.rules)
        assert (task.data["policy"] in WORDINGS) == bool(task.rules)


@per_world
def test_a_policy_reads_as_it_was_meant(worlds, name: str):
    topic = worlds.by_name[name].manifest.topic
    for task in worlds.all_tasks(name):
        assert task.rules == tuple(read_rule(rule.text, topic) for rule in task.rules)


@per_world
def test_only_the_last_turn_can_be_without_an_answer(worlds, name: str):
    early = [turn for task in worlds.all_tasks(name) for turn in task.turns[:-1]]
    assert not [turn.query for turn in early if turn.gold.answer.type is AnswerType.UNANSWERABLE]


@per_world
def test_no_turn_is_given_before_a_task_that_is_lived_through(worlds, name: str):
    assert not [task.id for task in worlds.all_tasks(name) if task.earlier]


@per_world
def test_a_question_has_no_answer_exactly_when_a_kind_it_needs_is_missing_or_forbidden(worlds, name: str):
    for task in worlds.all_tasks(name):
        usable = set(task.tools_allowed or ()) - {kind for rule in task.rules for kind in rule.forbids}
        nowhere = task.data["hops"] == 0
        assert (last_answer(task) is AnswerType.UNANSWERABLE) == (nowhere or not needed(task) <= usable)


@per_world
def test_gold_of_an_unanswerable_turn_makes_no_call(worlds, name: str):
    turns = [turn for task in worlds.all_tasks(name) for turn in task.turns]
    assert all((turn.gold.answer.type is AnswerType.UNANSWERABLE) == (not turn.gold.actions) for turn in turns)


@per_world
def test_some_tasks_have_several_turns_and_later_ones_refer_to_earlier_calls(worlds, name: str):
    several = [task for task in worlds.tasks(name, Split.TRAIN) if len(task.turns) > 1]
    assert 50 <= len(several) <= 66
    first_calls = [(len(task.turns[0].gold.actions), task.turns[1].gold.actions) for task in several]
    assert any(n in references(action.calls[0].arguments) for n, later in first_calls for action in later)


@per_world
def test_questions_answers_and_thoughts_are_short(worlds, name: str):
    turns = [turn for task in worlds.all_tasks(name) for turn in task.turns]
    thoughts = [action.thought for turn in turns for action in turn.gold.actions]
    assert max(len(thought.split()) for thought in thoughts) <= 8
    assert max(len(turn.query.split()) for turn in turns) <= 30
    lists = [turn.gold.answer.value for turn in turns if turn.gold.answer.type is AnswerType.ITEMS]
    assert max(len(items) for items in lists) <= 8


@per_world
@pytest.mark.parametrize("granularity", [Granularity.SLOT_FILLING, Granularity.SELECTION])
def test_every_granularity_asks_the_same_and_expects_the_same(worlds, name: str, granularity: Granularity):
    def asked(tasks: tuple[Task, ...]) -> list[object]:
        return [(task.id, task.rules, [(turn.query, turn.gold.answer) for turn in task.turns]) for task in tasks]

    assert asked(worlds.all_tasks(name, granularity)) == asked(worlds.all_tasks(name))
