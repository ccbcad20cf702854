"""Tasks before their gold is executed: chains of hops, split into turns, under an availability and policies."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from random import Random
from typing import NamedTuple

from agentbench.config.env import Availability, Scenario
from agentbench.config.tasks import Split
from agentbench.types import ToolKind
from agentbench.worlds.chains import Chains
from agentbench.worlds.documents import leaks
from agentbench.worlds.hops import ApiHop, Drop, Hop, Hops
from agentbench.worlds.knowledge import Knowledge
from agentbench.worlds.phrasing import Phraser
from agentbench.worlds.policies import Policy, elsewhere, forbidding


class DraftTurn(NamedTuple):
    """What the user says, and the hops that answer it: those up to `end` that no earlier turn had. None: no answer."""

    query: str
    end: int
    answerable: bool


class Draft(NamedTuple):
    """One task in the making."""

    scenario: Scenario
    availability: Availability
    hops: Hops
    turns: tuple[DraftTurn, ...]
    policy: Policy | None
    templates: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()
    """Entities that are mentioned beside those of the hops: column and value."""


class Form(StrEnum):
    """What sort of task is made; each has its share of a split."""

    SINGLE = "single"
    TURNS = "turns"
    MISSING_KIND = "missing_kind"
    MISSING_KIND_LATER = "missing_kind_later"
    NO_TOOLS = "no_tools"
    NO_SOURCE = "no_source"
    FORBIDDEN = "forbidden"
    ONE_KIND = "one_kind"
    POLICY_ELSEWHERE = "policy_elsewhere"
    POLICY_KEPT = "policy_kept"


SHARES: tuple[tuple[Form, Scenario, int], ...] = (
    (Form.SINGLE, Scenario.API, 150),
    (Form.SINGLE, Scenario.RAG, 100),
    (Form.SINGLE, Scenario.RAG_BEFORE_API, 100),
    (Form.SINGLE, Scenario.API_BEFORE_RAG, 90),
    (Form.TURNS, Scenario.API, 50),
    (Form.TURNS, Scenario.RAG, 35),
    (Form.TURNS, Scenario.RAG_BEFORE_API, 45),
    (Form.TURNS, Scenario.API_BEFORE_RAG, 40),
    (Form.ONE_KIND, Scenario.API, 50),
    (Form.ONE_KIND, Scenario.RAG, 40),
    (Form.POLICY_ELSEWHERE, Scenario.API, 12),
    (Form.POLICY_ELSEWHERE, Scenario.RAG, 12),
    (Form.POLICY_ELSEWHERE, Scenario.RAG_BEFORE_API, 13),
    (Form.POLICY_ELSEWHERE, Scenario.API_BEFORE_RAG, 13),
    (Form.POLICY_KEPT, Scenario.API, 25),
    (Form.POLICY_KEPT, Scenario.RAG, 25),
    (Form.MISSING_KIND, Scenario.API, 18),
    (Form.MISSING_KIND, Scenario.RAG, 18),
    (Form.MISSING_KIND, Scenario.RAG_BEFORE_API, 18),
    (Form.MISSING_KIND, Scenario.API_BEFORE_RAG, 18),
    (Form.MISSING_KIND_LATER, Scenario.RAG_BEFORE_API, 8),
    (Form.MISSING_KIND_LATER, Scenario.API_BEFORE_RAG, 8),
    (Form.NO_TOOLS, Scenario.API, 9),
    (Form.NO_TOOLS, Scenario.RAG, 9),
    (Form.NO_TOOLS, Scenario.RAG_BEFORE_API, 4),
    (Form.NO_TOOLS, Scenario.API_BEFORE_RAG, 4),
    (Form.NO_SOURCE, Scenario.API, 36),
    (Form.FORBIDDEN, Scenario.API, 15),
    (Form.FORBIDDEN, Scenario.RAG, 15),
    (Form.FORBIDDEN, Scenario.RAG_BEFORE_API, 10),
    (Form.FORBIDDEN, Scenario.API_BEFORE_RAG, 10),
)
"""Parts per thousand of a split, all tasks of a world together."""


class Drafter:
    """Makes drafts for one split of one world."""

    def __init__(self, knowledge: Knowledge, chains: Chains, split: Split, rng: Random) -> None:
        self._knowledge = knowledge
        self._domain = knowledge.domain
        self._chains = chains
        self._split = split
        self._rng = rng
        self._documented = {item.table for item in knowledge.corpus.stated}

    def draft(self, form: Form, scenario: Scenario) -> Draft:
        """One draft, or the reason why this try gave none.

        Raises:
            Drop: the hops drawn do not fit together or give no usable answer.
        """
        match form:
            case Form.TURNS:
                return self._turns(scenario, Availability.BOTH_API_RAG)
            case Form.MISSING_KIND_LATER:
                return self._later(scenario)
            case Form.NO_SOURCE:
                return self._no_source()
            case _:
                return self._single(form, scenario)

    def _single(self, form: Form, scenario: Scenario) -> Draft:
        hops = self._chain(scenario)
        phraser = Phraser(self._domain, self._split, self._rng)
        query = phraser.question(hops, 0)
        availability, policy = self._terms(form, scenario, hops)
        answerable = form not in (Form.MISSING_KIND, Form.NO_TOOLS, Form.FORBIDDEN)
        if not answerable and not _only_in_database(self._knowledge, hops):
            raise Drop("documents say it too")
        turn = DraftTurn(query, len(hops), answerable)
        return _draft(scenario, availability, hops, (turn,), policy, phraser)

    def _terms(self, form: Form, scenario: Scenario, hops: Hops) -> tuple[Availability, Policy | None]:
        rng, topic, both = self._rng, self._domain.topic, Availability.BOTH_API_RAG
        match form:
            case Form.ONE_KIND:
                return (_only(scenario is Scenario.API), None)
            case Form.MISSING_KIND:
                lacking = self._some_kind(hops)
                return (_only(lacking is ToolKind.RETRIEVER), None)
            case Form.NO_TOOLS:
                return (Availability.NEITHER_API_RAG, None)
            case Form.POLICY_ELSEWHERE:
                return (both, elsewhere(topic, self._split, rng))
            case Form.POLICY_KEPT:
                other = ToolKind.RETRIEVER if scenario is Scenario.API else ToolKind.API
                return (both, forbidding(other, topic, self._split, rng))
            case Form.FORBIDDEN:
                return (both, forbidding(self._some_kind(hops), topic, self._split, rng))
            case _:
                return (both, None)

    def _some_kind(self, hops: Hops) -> ToolKind:
        return self._rng.choice(sorted({kind_of(hop) for hop in hops}))

    def _chain(self, scenario: Scenario) -> Hops:
        chains, more = self._chains, self._rng.random() < 0.25
        match scenario:
            case Scenario.API:
                return (chains.start_api(),)
            case Scenario.RAG:
                return (chains.start_rag(),)
            case Scenario.RAG_BEFORE_API:
                steps = [chains.then_api, chains.then_api] if more else [chains.then_api]
                return _extended((chains.start_rag(leading=True),), steps)
            case _:
                if not more:
                    return _extended((chains.start_api(leading=True),), [chains.then_rag])
                return _extended((chains.start_api(),), [chains.then_api, chains.then_rag])

    def _turns(self, scenario: Scenario, availability: Availability) -> Draft:
        phraser = Phraser(self._domain, self._split, self._rng)
        hops, turns = self._opening(scenario, phraser)
        while len(turns) < 2 or (len(turns) == 2 and self._rng.random() < 0.35):
            hops, turn = self._next_turn(scenario, hops, phraser)
            turns.append(turn)
        if scenario_of(hops) is not scenario:
            raise Drop("turns of another scenario")
        return _draft(scenario, availability, hops, tuple(turns), None, phraser)

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

    def _later(self, scenario: Scenario) -> Draft:
        phraser = Phraser(self._domain, self._split, self._rng)
        hops, turns = self._opening(scenario, phraser)
        hops, turn = self._next_turn(scenario, hops, phraser)
        if scenario_of(hops) is not scenario:
            raise Drop("turns of another scenario")
        if not _only_in_database(self._knowledge, hops):
            raise Drop("documents say it too")
        availability = _only(kind_of(hops[0]) is ToolKind.API)
        return _draft(scenario, availability, hops, (*turns, turn._replace(answerable=False)), None, phraser)

    def _no_source(self) -> Draft:
        hop = self._chains.start_api()
        item, table = hop.inputs[0], hop.query.view.table
        if hop.query.by != (table.key,) or not table.missing:
            raise Drop("no question without a source")
        phraser = Phraser(self._domain, self._split, self._rng)
        query = phraser.missing(table, self._rng.choice(table.missing), str(item.value))
        turn = DraftTurn(query, 0, False)
        draft = _draft(Scenario.API, Availability.BOTH_API_RAG, (), (turn,), None, phraser)
        return draft._replace(extra=((item.column, str(item.value)),))


def kind_of(hop: Hop) -> ToolKind:
    """The kind of tool a hop needs."""
    return ToolKind.API if isinstance(hop, ApiHop) else ToolKind.RETRIEVER


def scenario_of(hops: Hops) -> Scenario | None:
    """Which sources hops need, in which order; `None` where they go back and forth."""
    kinds = [kind_of(hop) for hop in hops]
    changes = [kind for index, kind in enumerate(kinds) if index == 0 or kind is not kinds[index - 1]]
    match changes:
        case [ToolKind.API]:
            return Scenario.API
        case [ToolKind.RETRIEVER]:
            return Scenario.RAG
        case [ToolKind.RETRIEVER, ToolKind.API]:
            return Scenario.RAG_BEFORE_API
        case [ToolKind.API, ToolKind.RETRIEVER]:
            return Scenario.API_BEFORE_RAG
        case _:
            return None


def _only_in_database(knowledge: Knowledge, hops: Hops) -> bool:
    """Whether no document that mentions what an API hop asks about says the hop's answer."""
    return not any(
        leaks(knowledge.corpus.texts.get(str(item.value), ""), str(item.value), hop.values)
        for hop in hops
        if isinstance(hop, ApiHop)
        for item in hop.inputs
    )


def _extended(hops: Hops, steps: list[Callable[[Hops], Hop]]) -> Hops:
    for step in steps:
        hops = (*hops, step(hops))
    return hops


def _only(api: bool) -> Availability:
    return Availability.ONLY_API if api else Availability.ONLY_RAG


def _draft(
    scenario: Scenario,
    availability: Availability,
    hops: Hops,
    turns: tuple[DraftTurn, ...],
    policy: Policy | None,
    phraser: Phraser,
) -> Draft:
    templates = (*phraser.templates, policy.template) if policy else tuple(phraser.templates)
    return Draft(scenario, availability, hops, turns, policy, templates)
