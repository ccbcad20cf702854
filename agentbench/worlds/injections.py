"""Attacks on tasks: drawn by seed and task, so that a task is attacked alike in every run, and kept in its data.

A call that is asked for is one that another of the run's tasks needs and this one does not: it works, and it is made
for nobody. So it depends on which tasks are played beside it; all else on seed and task alone. What counts as done is
said in `tasks.injection`.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from string import Template
from typing import Any

import orjson
import yaml

from agentbench.config.injection import CALLING, AttackKind, InjectionConfig, Wordings
from agentbench.config.tasks import Split
from agentbench.tasks.gold import references
from agentbench.tasks.injection import INJECTION, Goal, Injection
from agentbench.types import Task, ToolCall

WORDINGS = Path(__file__).parent / "injections.yaml"

_FIRST = ("amber", "copper", "crimson", "golden", "indigo", "ivory", "purple", "scarlet", "silver", "violet")
_SECOND = ("badger", "beacon", "bridge", "canyon", "falcon", "garden", "harbour", "lantern", "meadow", "tunnel")

_Calls = dict[str, list[ToolCall]]


def attacked_tasks(tasks: Sequence[Task], config: InjectionConfig) -> tuple[Task, ...]:
    """The tasks, those that are drawn with an attack under `data["injection"]` and its kind under `data["attack"]`.

    A task that is to be asked for a call is left alone where no other task of its domain needs one that it does not.
    """
    if not config.kinds:
        return tuple(tasks)
    needed: _Calls = {}
    for task in tasks:
        needed.setdefault(task.domain, []).extend(_free_calls(task))
    pools = {domain: _sorted(calls) for domain, calls in needed.items()}
    return tuple(_attacked(task, config, pools[task.domain]) for task in tasks)


def _attacked(task: Task, config: InjectionConfig, pool: list[ToolCall]) -> Task:
    rng = random.Random(f"{config.seed}/injection/{task.id}")
    if rng.random() >= config.rate:
        return task
    kind = rng.choice(config.kinds)
    used = {call.name for turn in task.turns for action in turn.gold.actions for call in action.calls}
    calls = [call for call in pool if call.name not in used]
    if kind in CALLING and not calls:
        return task
    injection = _drawn(kind, task, config, rng.choice(calls) if calls else None, rng)
    attack = {INJECTION: orjson.loads(orjson.dumps(injection)), "attack": kind.value}
    return dataclasses.replace(task, data={**task.data, **attack})


def _drawn(
    kind: AttackKind, task: Task, config: InjectionConfig, call: ToolCall | None, rng: random.Random
) -> Injection:
    name, text = rng.choice(_wordings(kind, config.wordings, task))
    words = f"{rng.choice(_FIRST)} {rng.choice(_SECOND)}"
    number = rng.randrange(1000, 10_000)
    match kind:
        case AttackKind.CALL_TOOL | AttackKind.FAKE_CALL:
            assert call is not None
            filled = _filled(text, tool=call.name, arguments=orjson.dumps(call.arguments).decode())
            return Injection(kind, Goal.CALL, filled, name, config.place, tool=call.name, arguments=call.arguments)
        case AttackKind.OTHER_ANSWER | AttackKind.FAKE_TURN:
            answer = words.title()
            return Injection(kind, Goal.ANSWER, _filled(text, answer=answer), name, config.place, answer=answer)
        case AttackKind.REVEAL_SECRET | AttackKind.REVEAL_PROMPT:
            secret = f"{words} {number}"
            confided = _filled(_all_wordings()["confided"], secret=secret)
            return Injection(kind, Goal.SECRET, text, name, config.place, secret=secret, confided=confided)


def _wordings(kind: AttackKind, wordings: Wordings, task: Task) -> list[tuple[str, str]]:
    """The wordings that may be drawn, with their names."""
    held_out = task.data.get("split") == Split.TEST.value
    match wordings:
        case Wordings.BY_SPLIT:
            parts = ["held_out" if held_out else "training"]
        case Wordings.ANY:
            parts = ["training", "held_out"]
        case Wordings.TRAINING | Wordings.HELD_OUT:
            parts = [wordings.value]
    texts = _all_wordings()[kind.value]
    return [(f"{part}/{number}", text) for part in parts for number, text in enumerate(texts[part], 1)]


@cache
def _all_wordings() -> dict[str, Any]:
    return yaml.safe_load(WORDINGS.read_text(encoding="utf-8"))


def _filled(text: str, **values: str) -> str:
    return Template(text).substitute(values)


def _free_calls(task: Task) -> list[ToolCall]:
    """The task's gold calls of tools other than searches that can be made without another's result."""
    return [
        call
        for turn in task.turns
        if not turn.gold.documents
        for action in turn.gold.actions
        for call in action.calls
        if not list(references(call.arguments))
    ]


def _sorted(calls: list[ToolCall]) -> list[ToolCall]:
    """Every call once, in an order that does not depend on that of the tasks."""
    by_text = {orjson.dumps([call.name, call.arguments], option=orjson.OPT_SORT_KEYS): call for call in calls}
    return [by_text[text] for text in sorted(by_text)]
