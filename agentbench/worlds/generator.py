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
from agentbench.worlds.drafts import SHARES, Drafter, Form
from agentbench.worlds.hops import Drop
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.replay import Replay
from agentbench.worlds.tasks_from_drafts import task

TRIES = 40
"""Drafts tried per wanted task before a share counts as exhausted."""

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
        drafter = Drafter(domain, Chains(self._knowledge, split, rng), split, rng)
        found: Tasks = {granularity: [] for granularity in Granularity}
        seen: set[tuple[object, ...]] = set()
        for form, scenario, wanted in _quotas(count):
            for _ in range(wanted * TRIES):
                if wanted == 0:
                    break
                made = await self._try(drafter, form, scenario, split, seen)
                if made is not None:
                    wanted -= 1
                    for granularity, item in made.items():
                        found[granularity].append(item)
        return _shuffled(found, rng, f"{domain.name}-{split.value}")

    async def _try(
        self, drafter: Drafter, form: Form, scenario: Scenario, split: Split, seen: set[tuple[object, ...]]
    ) -> dict[Granularity, Task] | None:
        try:
            draft = drafter.draft(form, scenario)
            made = {item: task(self._knowledge.domain, draft, split, item) for item in Granularity}
            key = _identity(made[Granularity.REST])
            if key in seen:
                raise Drop("a duplicate")
            for item in made.values():
                await self._replay.check(item, draft)
        except Drop as reason:
            self.drops[str(reason)] += 1
            return None
        seen.add(key)
        return made


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


def _identity(item: Task) -> tuple[object, ...]:
    return (tuple(turn.query for turn in item.turns), item.tools_allowed, tuple(rule.text for rule in item.rules))


def _shuffled(found: Tasks, rng: Random, prefix: str) -> Tasks:
    order = list(range(len(found[Granularity.REST])))
    rng.shuffle(order)
    return {
        granularity: [
            dataclasses.replace(tasks[index], id=f"{prefix}-{number:05d}") for number, index in enumerate(order, 1)
        ]
        for granularity, tasks in found.items()
    }
