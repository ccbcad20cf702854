"""Tasks before their gold is executed: chains of hops, split into turns, in one cell of the grid."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from random import Random
from typing import NamedTuple

from agentbench.config.env import Scenario
from agentbench.config.tasks import Split
from agentbench.types import ToolKind
from agentbench.worlds.chains import Chains
from agentbench.worlds.documents import leaks
from agentbench.worlds.grid import NEEDS, Cell
from agentbench.worlds.hops import ApiHop, Drop, Hop, Hops
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.phrasing import Phraser
from agentbench.worlds.policies import Policy, policy


class DraftTurn(NamedTuple):
    """What the user says, and the hops that answer it: those up to `end` that no earlier turn had. None: no answer."""

    query: str
    end: int
    answerable: bool


class Draft(NamedTuple):
    """One task in the making."""

    cell: Cell
    policy: Policy | None
    hops: Hops
    turns: tuple[DraftTurn, ...]
    templates: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()
    """Entities that are mentioned beside those of the hops: column and value."""


class Drafter:
    """Makes drafts for one split of one world."""

    def __init__(self, knowledge: Knowledge, chains: Chains, split: Split, rng: Random) -> None:
        self._knowledge = knowledge
        self._domain = knowledge.domain
        self._chains = chains
        self._split = split
        self._rng = rng
        self._documented = {item.table for item in knowledge.corpus.stated}

    def draft(self, cell: Cell) -> Draft:
        """One draft, or the reason why this try gave none.

        Raises:
            Drop: the hops drawn do not fit together or give no usable answer.
        """
        if not cell.sourced:
            return self._no_source(cell)
        return self._several(cell) if cell.several else self._single(cell)

    def _single(self, cell: Cell) -> Draft:
        hops = self._chain(cell.scenario)
        phraser = Phraser(self._domain, self._split, self._rng)
        turn = DraftTurn(phraser.question(hops, 0), len(hops), cell.answerable)
        return self._draft(cell, hops, [turn], phraser)

    def _chain(self, scenario: Scenario) -> Hops:
        chains, more = self._chains, self._rng.random() < 0.25
        match scenario:
            case Scenario.API:
                return (chains.start_api(),)
            case Scenario.RAG:
                return (chains.start_rag(),)
            case Scenario.RAG_BEFORE_API:
                hops: Hops = (chains.start_rag(leading=True),)
                return _extended(hops, *([chains.then_api] * (2 if more else 1)))
            case _:
                if not more:
                    return _extended((chains.start_api(leading=True),), chains.then_rag)
                return _extended((chains.start_api(),), chains.then_api, chains.then_rag)

    def _several(self, cell: Cell) -> Draft:
        """Two or three turns; one that cannot be answered is the last, since nothing can build on it."""
        phraser = Phraser(self._domain, self._split, self._rng)
        hops, turns = self._opening(cell.scenario, phraser)
        while len(turns) < 2 or (len(turns) == 2 and turns[-1].answerable and self._rng.random() < 0.35):
            hops, turn = self._next_turn(cell.scenario, hops, phraser)
            turns.append(turn._replace(answerable=cell.usable.issuperset(map(kind_of, hops))))
        if scenario_of(hops) is not cell.scenario:
            raise Drop("turns of another scenario")
        return self._draft(cell, hops, turns, phraser)

    def _opening(self, scenario: Scenario, phraser: Phraser) -> tuple[Hops, list[DraftTurn]]:
        chains = self._chains
        match scenario:
            case Scenario.API:
                hops: Hops = (chains.start_api(),)
            case Scenario.API_BEFORE_RAG:
                hops = (chains.start_api(leading=self._rng.random() < 0.8),)
            case _:
                hops = (chains.start_rag(leading=scenario is Scenario.RAG_BEFORE_API),)
        return hops, [DraftTurn(phraser.question(hops, 0), 1, True)]

    def _next_turn(self, scenario: Scenario, hops: Hops, phraser: Phraser) -> tuple[Hops, DraftTurn]:
        if scenario in (Scenario.API, Scenario.RAG) and self._rng.random() < 0.5:
            more = (*hops, self._chains.like(hops))
            return more, DraftTurn(phraser.same(more[-1]), len(more), True)
        step = self._chains.then_api if self._goes_to_api(scenario, hops) else self._chains.then_rag
        more = (*hops, step(hops))
        return more, DraftTurn(phraser.question(more, len(hops)), len(more), True)

    def _goes_to_api(self, scenario: Scenario, hops: Hops) -> bool:
        if scenario is Scenario.API_BEFORE_RAG:
            return len(hops) == 1 and hops[0].gives not in self._documented and self._rng.random() < 0.5
        return scenario in (Scenario.API, Scenario.RAG_BEFORE_API)

    def _no_source(self, cell: Cell) -> Draft:
        hop = self._chains.start_api()
        item, table = hop.inputs[0], hop.query.view.table
        if hop.query.by != (table.key,) or not table.missing:
            raise Drop("no question without a source")
        phraser = Phraser(self._domain, self._split, self._rng)
        query = phraser.missing(self._rng.choice(table.missing), item)
        draft = self._draft(cell, (), [DraftTurn(query, 0, False)], phraser)
        return draft._replace(extra=((item.column, str(item.value)),))

    def _draft(self, cell: Cell, hops: Hops, turns: list[DraftTurn], phraser: Phraser) -> Draft:
        if not turns[-1].answerable:
            _check_hidden(self._knowledge, hops)
        given = policy(cell.policy, self._domain.topic, self._split, self._rng)
        templates = (*phraser.templates, *((given.template,) if given else ()))
        return Draft(cell, given, hops, tuple(turns), templates)


def kind_of(hop: Hop) -> ToolKind:
    """The kind of tool a hop needs."""
    return ToolKind.API if isinstance(hop, ApiHop) else ToolKind.RETRIEVER


def scenario_of(hops: Hops) -> Scenario | None:
    """Which sources hops need, in which order; `None` where they go back and forth."""
    kinds = tuple(kind for kind, _ in groupby(map(kind_of, hops)))
    return next((scenario for scenario, needs in NEEDS.items() if needs == kinds), None)


def _check_hidden(knowledge: Knowledge, hops: Hops) -> None:
    """Refuses an API hop whose answer stands in a document that mentions what the hop asks about."""
    for hop in hops:
        for item in hop.inputs if isinstance(hop, ApiHop) else ():
            if leaks(knowledge.corpus.texts.get(str(item.value), ""), str(item.value), hop.values):
                raise Drop("documents say it too")


def _extended(hops: Hops, *steps: Callable[[Hops], Hop]) -> Hops:
    for step in steps:
        hops = (*hops, step(hops))
    return hops
