"""A split's tasks: drawn by share, checked, without duplicates, with executed gold."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from random import Random

from agentbench.config.env import Granularity, Scenario
from agentbench.config.tasks import Split
from agentbench.types import Task
from agentbench.worlds.chains import Chains
from agentbench.worlds.drafts import SHARES, Draft, Drafter, Form
from agentbench.worlds.hops import ApiHop, Drop, FactHop, FindHop, Hop, QuoteHop
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.replay import Replay
from agentbench.worlds.tasks_from_drafts import task

TRIES = 300
"""Drafts tried per wanted task before a share counts as exhausted."""
SAME_HOPS = 2
"""Most tasks of a split that ask the same in other words, under other terms."""

Tasks = dict[Granularity, list[Task]]


class Generator:
    """Tasks of one world, the same for the same seed."""

    def __init__(self, knowledge: Knowledge, replay: Replay, seed: int) -> None:
        self._knowledge = knowledge
        self._replay = replay
        self._seed = seed
        self.drops: Counter[str] = Counter()

    async def tasks(self, split: Split, count: int) -> Tasks:
        """At most `count` tasks of a split, the same at each granularity; fewer where the world has no more."""
        domain = self._knowledge.domain
        rng = Random(f"{self._seed}/{domain.name}/{split.value}")
        drafter = Drafter(self._knowledge, Chains(self._knowledge, split, rng), split, rng)
        found: Tasks = {granularity: [] for granularity in Granularity}
        known = _Known()
        for form, scenario, wanted in _quotas(count):
            for _ in range(wanted * TRIES):
                try:
                    made = await self._try(drafter.draft(form, scenario), split, known)
                except Drop as reason:
                    self.drops[str(reason)] += 1
                    continue
                for granularity, item in made.items():
                    found[granularity].append(item)
                wanted -= 1
                if wanted == 0:
                    break
        return _shuffled(found, rng, f"{domain.name}-{split.value}")

    async def _try(self, draft: Draft, split: Split, known: _Known) -> dict[Granularity, Task]:
        made = {item: task(self._knowledge.domain, draft, split, item) for item in Granularity}
        known.check(draft, made[Granularity.REST])
        for granularity, item in made.items():
            await self._replay.check(item, granularity)
        known.add(draft, made[Granularity.REST])
        return made


class _Known:
    """What was asked before in a split."""

    def __init__(self) -> None:
        self._tasks: set[tuple[object, ...]] = set()
        self._plans: Counter[tuple[object, ...]] = Counter()

    def check(self, draft: Draft, item: Task) -> None:
        if _identity(item) in self._tasks:
            raise Drop("a duplicate")
        if draft.hops and self._plans[_plan(draft)] >= SAME_HOPS:
            raise Drop("asked often enough")

    def add(self, draft: Draft, item: Task) -> None:
        self._tasks.add(_identity(item))
        self._plans[_plan(draft)] += 1


def _identity(item: Task) -> tuple[object, ...]:
    return (tuple(turn.query for turn in item.turns), item.tools_allowed, tuple(rule.text for rule in item.rules))


def _plan(draft: Draft) -> tuple[object, ...]:
    return tuple((_asked(hop), hop.inputs) for hop in draft.hops)


def _asked(hop: Hop) -> str:
    match hop:
        case ApiHop(query=query):
            return query.endpoint.name
        case FactHop(stated=stated) | FindHop(stated=stated):
            return stated.fact.name
        case QuoteHop(quote=quote):
            return quote.text


def _quotas(count: int) -> Iterator[tuple[Form, Scenario, int]]:
    """How many of each share make up `count`, by largest remainder."""
    total = sum(parts for _, _, parts in SHARES)
    exact = [count * parts / total for _, _, parts in SHARES]
    whole = [int(share) for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda index: whole[index] - exact[index])
    for index in by_remainder[: count - sum(whole)]:
        whole[index] += 1
    for (form, scenario, _), wanted in zip(SHARES, whole, strict=True):
        yield form, scenario, wanted


def _shuffled(found: Tasks, rng: Random, prefix: str) -> Tasks:
    order = list(range(len(found[Granularity.REST])))
    rng.shuffle(order)
    return {
        granularity: [
            dataclasses.replace(tasks[index], id=f"{prefix}-{number:05d}") for number, index in enumerate(order, 1)
        ]
        for granularity, tasks in found.items()
    }
