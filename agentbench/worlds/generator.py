"""A split's tasks: drawn by share, checked, without duplicates, with executed gold."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import Counter
from collections.abc import AsyncIterator
from fractions import Fraction
from random import Random
from typing import NamedTuple

from agentbench.config.env import Granularity
from agentbench.config.tasks import Split
from agentbench.types import Task
from agentbench.worlds.chains import Chains
from agentbench.worlds.drafts import Draft, Drafter
from agentbench.worlds.grid import SHARES, Cell, Share, quotas
from agentbench.worlds.hops import ApiHop, Drop, FactHop, FindHop, Hop, QuoteHop
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.policies import PolicyKind
from agentbench.worlds.replay import Replay
from agentbench.worlds.tasks_from_drafts import task

TRIES = 300
"""Drafts tried per wanted task before a share counts as exhausted."""
SAME_HOPS = 2
"""Most tasks of a split that ask the same in other words, under other terms."""

Made = dict[Granularity, Task]
Tasks = dict[Granularity, list[Task]]


class Generator:
    """Tasks of one world, the same for the same seed."""

    def __init__(self, knowledge: Knowledge, replay: Replay, seed: int, rotation: Fraction = Fraction(0)) -> None:
        """`rotation`: see `grid.quotas`; it decides which of the rarest settings a small split has."""
        self._knowledge = knowledge
        self._replay = replay
        self._seed = seed
        self._rotation = rotation
        self.drops: Counter[str] = Counter()

    async def tasks(self, split: Split, count: int) -> Tasks:
        """At most `count` tasks of a split, the same at each granularity; fewer where the world has no more.

        What a share cannot deliver is made up for by those that delivered all they were asked for.
        """
        rng = Random(f"{self._seed}/{self._knowledge.domain.name}/{split.value}")
        chains = Chains(self._knowledge, split, rng)
        run = _Run(split, Drafter(self._knowledge, chains, split, rng), _Known())
        found: list[Made] = []
        shares = [share for share in SHARES if chains.can(share.cell.scenario) and self._fits(share.cell)]
        while shares and len(found) < count:
            wanted_each = quotas(tuple(shares), count - len(found), self._rotation)
            for share, wanted in zip(tuple(shares), wanted_each, strict=True):
                made = [item async for item in self._draws(run, share, wanted)]
                found.extend(made)
                if len(made) < wanted:
                    shares.remove(share)
        return _shuffled(found, rng, f"{self._knowledge.domain.name}-{split.value}")

    def _fits(self, cell: Cell) -> bool:
        """Whether a cell makes sense here: policies speak about documents, which not all worlds have."""
        return bool(self._knowledge.corpus.documents) or cell.policy is PolicyKind.NONE

    async def _draws(self, run: _Run, share: Share, wanted: int) -> AsyncIterator[Made]:
        for _ in range(wanted * TRIES):
            # Nothing else here suspends, and Ctrl-C is only heeded where something does.
            await asyncio.sleep(0)
            try:
                yield await self._try(run, share)
            except Drop as reason:
                self.drops[str(reason)] += 1
                continue
            wanted -= 1
            if wanted == 0:
                return

    async def _try(self, run: _Run, share: Share) -> Made:
        draft = run.drafter.draft(share.cell)
        made = {item: task(self._knowledge.domain, draft, run.split, item) for item in Granularity}
        run.known.check(draft, made[Granularity.REST])
        for granularity, item in made.items():
            await self._replay.check(item, granularity)
        run.known.add(draft, made[Granularity.REST])
        return made


class _Run(NamedTuple):
    """What one split is made with."""

    split: Split
    drafter: Drafter
    known: _Known


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


def _shuffled(found: list[Made], rng: Random, prefix: str) -> Tasks:
    rng.shuffle(found)
    return {
        granularity: [
            dataclasses.replace(made[granularity], id=f"{prefix}-{number:05d}") for number, made in enumerate(found, 1)
        ]
        for granularity in Granularity
    }
