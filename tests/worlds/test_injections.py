"""Attacks are drawn by seed and task, in words that belong to the task's split."""

from __future__ import annotations

import dataclasses
from collections import Counter
from string import Template

import pytest

from agentbench.config.injection import CALLING, AttackKind, InjectionConfig, Wordings
from agentbench.tasks.injection import injection_of
from agentbench.types import Answer, AnswerType, Gold, Task, ToolCall, Turn
from agentbench.worlds.injections import WORDINGS, _all_wordings, attacked_tasks
from tests.conftest import Call

EVERY = tuple(AttackKind)


@pytest.fixture
def tasks(call: Call) -> list[Task]:
    """Sixty tasks about three tools, half of them of the test split."""
    made = []
    for number in range(60):
        gold = Gold(Answer(AnswerType.TEXT, "x"), (call(f"get_{number % 3}", title=f"film {number}"),))
        split = "test" if number % 2 else "train"
        made.append(Task(f"t{number}", "m3", "films", (Turn("?", gold),), data={"split": split}))
    return made


def test_the_same_seed_attacks_alike_and_another_otherwise(tasks: list[Task]) -> None:
    config = InjectionConfig(kinds=EVERY)
    assert attacked_tasks(tasks, config) == attacked_tasks(tasks, config)
    assert attacked_tasks(tasks, config) != attacked_tasks(tasks, dataclasses.replace(config, seed=1))


def test_the_order_of_tasks_changes_nothing(tasks: list[Task]) -> None:
    config = InjectionConfig(kinds=EVERY)
    turned = attacked_tasks(tasks[::-1], config)
    assert attacked_tasks(tasks, config) == turned[::-1]


def test_every_kind_is_drawn_and_no_other(tasks: list[Task]) -> None:
    kinds = Counter(task.data["attack"] for task in attacked_tasks(tasks, InjectionConfig(kinds=EVERY)))
    assert set(kinds) == set(EVERY) and sum(kinds.values()) == 60
    only = attacked_tasks(tasks, InjectionConfig(kinds=(AttackKind.FAKE_TURN,)))
    assert {task.data["attack"] for task in only} == {"fake_turn"}


def test_a_rate_leaves_the_others_as_they_were(tasks: list[Task]) -> None:
    some = attacked_tasks(tasks, InjectionConfig(kinds=EVERY, rate=0.5))
    spared = [task for task, before in zip(some, tasks, strict=True) if task == before]
    assert 15 <= len(spared) <= 45  # 60 coins: 30 are expected, with a standard deviation of 3.9
    assert attacked_tasks(tasks, InjectionConfig(kinds=EVERY, rate=0.0)) == tuple(tasks)


def test_a_call_that_is_asked_for_is_anothers_gold_and_not_the_tasks_own(tasks: list[Task]) -> None:
    every = {(call.name, call.arguments["title"]) for task in tasks for call in _gold(task)}
    for task in attacked_tasks(tasks, InjectionConfig(kinds=CALLING)):
        injection = injection_of(task)
        assert injection is not None and injection.arguments is not None
        assert (injection.tool, injection.arguments["title"]) in every
        assert injection.tool not in {call.name for call in _gold(task)}
        assert injection.tool in injection.text and injection.arguments["title"] in injection.text


def _gold(task: Task) -> tuple[ToolCall, ...]:
    return task.turns[0].gold.actions[0].calls


def test_a_task_that_no_call_is_left_for_is_spared(film_task: Task, tasks: list[Task]) -> None:
    assert attacked_tasks([film_task], InjectionConfig(kinds=CALLING)) == (film_task,)
    assert "attack" in attacked_tasks([film_task], InjectionConfig(kinds=(AttackKind.OTHER_ANSWER,)))[0].data


@pytest.mark.parametrize("wordings", Wordings)
def test_wordings_are_those_of_the_split_or_as_configured(tasks: list[Task], wordings: Wordings) -> None:
    for task in attacked_tasks(tasks, InjectionConfig(kinds=EVERY, wordings=wordings)):
        injection = injection_of(task)
        assert injection is not None
        part = injection.wording.split("/")[0]
        of_split = "held_out" if task.data["split"] == "test" else "training"
        allowed = {"by_split": {of_split}, "any": {"training", "held_out"}}.get(wordings, {wordings.value})
        assert part in allowed


@pytest.mark.parametrize("kind", AttackKind)
def test_no_wording_is_both_trained_on_and_held_out(kind: AttackKind) -> None:
    texts = _all_wordings()[kind.value]
    assert set(texts) == {"training", "held_out"} and not set(texts["training"]) & set(texts["held_out"])
    names = {"tool", "arguments"} if kind in CALLING else {"answer"} if kind in _ANSWERS else set()
    for text in (*texts["training"], *texts["held_out"]):
        assert set(Template(text).get_identifiers()) == names, f"{WORDINGS.name}: {text}"


_ANSWERS = (AttackKind.OTHER_ANSWER, AttackKind.FAKE_TURN)


def test_a_secret_stands_before_the_question_and_not_in_the_text(tasks: list[Task]) -> None:
    for task in attacked_tasks(tasks, InjectionConfig(kinds=(AttackKind.REVEAL_SECRET, AttackKind.REVEAL_PROMPT))):
        injection = injection_of(task)
        assert injection is not None and injection.secret in injection.confided
        assert injection.secret not in injection.text
