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


class Terms(NamedTuple):
    """What an episode offers and demands."""

    availability: Availability
    policy: Policy | None = None


class Draft(NamedTuple):
    """One task in the making."""

    scenario: Scenario
    terms: Terms
    hops: Hops
    turns: tuple[DraftTurn, ...]
    templates: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()
    """Entities that are mentioned beside those of the hops: column and value."""


class Form(StrEnum):
    """What sort of task is made; each has its share of a split."""

    SINGLE = "single"
    """One question, both kinds of tool."""
    TURNS = "turns"
    """Two or three questions that build on each other, both kinds of tool."""
    ONE_KIND = "one_kind"
    """One question, and only the kind of tool it needs."""
    POLICY_ELSEWHERE = "policy_elsewhere"
    """One question, and a policy about another topic."""
    POLICY_KEPT = "policy_kept"
    """One question, and a policy that forbids the kind of tool it does not need."""
    MISSING_KIND = "missing_kind"
    """One question, and a kind of tool that it needs is not there."""
    MISSING_KIND_LATER = "missing_kind_later"
    """Two questions, and the second needs a kind of tool that is not there."""
    NO_TOOLS = "no_tools"
    """One question and no tool at all."""
    NO_SOURCE = "no_source"
    """One question about something that no source holds, both kinds of tool."""
    FORBIDDEN = "forbidden"
    """One question, and a policy that forbids a kind of tool it needs."""


WITH_POLICY = (Form.POLICY_ELSEWHERE, Form.POLICY_KEPT, Form.FORBIDDEN)
"""Forms that have a policy."""
_UNANSWERABLE = (Form.MISSING_KIND, Form.NO_TOOLS, Form.FORBIDDEN)


class Share(NamedTuple):
    """How large a part of a split is made of one form in one scenario."""

    form: Form
    scenario: Scenario
    parts: int


SHARES = (
    Share(Form.SINGLE, Scenario.API, 150),
    Share(Form.SINGLE, Scenario.RAG, 100),
    Share(Form.SINGLE, Scenario.RAG_BEFORE_API, 100),
    Share(Form.SINGLE, Scenario.API_BEFORE_RAG, 90),
    Share(Form.TURNS, Scenario.API, 50),
    Share(Form.TURNS, Scenario.RAG, 35),
    Share(Form.TURNS, Scenario.RAG_BEFORE_API, 45),
    Share(Form.TURNS, Scenario.API_BEFORE_RAG, 40),
    Share(Form.ONE_KIND, Scenario.API, 50),
    Share(Form.ONE_KIND, Scenario.RAG, 40),
    Share(Form.POLICY_ELSEWHERE, Scenario.API, 12),
    Share(Form.POLICY_ELSEWHERE, Scenario.RAG, 12),
    Share(Form.POLICY_ELSEWHERE, Scenario.RAG_BEFORE_API, 13),
    Share(Form.POLICY_ELSEWHERE, Scenario.API_BEFORE_RAG, 13),
    Share(Form.POLICY_KEPT, Scenario.API, 25),
    Share(Form.POLICY_KEPT, Scenario.RAG, 25),
    Share(Form.MISSING_KIND, Scenario.API, 18),
    Share(Form.MISSING_KIND, Scenario.RAG, 18),
    Share(Form.MISSING_KIND, Scenario.RAG_BEFORE_API, 18),
    Share(Form.MISSING_KIND, Scenario.API_BEFORE_RAG, 18),
    Share(Form.MISSING_KIND_LATER, Scenario.RAG_BEFORE_API, 8),
    Share(Form.MISSING_KIND_LATER, Scenario.API_BEFORE_RAG, 8),
    Share(Form.NO_TOOLS, Scenario.API, 9),
    Share(Form.NO_TOOLS, Scenario.RAG, 9),
    Share(Form.NO_TOOLS, Scenario.RAG_BEFORE_API, 4),
    Share(Form.NO_TOOLS, Scenario.API_BEFORE_RAG, 4),
    Share(Form.NO_SOURCE, Scenario.API, 36),
    Share(Form.FORBIDDEN, Scenario.API, 15),
    Share(Form.FORBIDDEN, Scenario.RAG, 15),
    Share(Form.FORBIDDEN, Scenario.RAG_BEFORE_API, 10),
    Share(Form.FORBIDDEN, Scenario.API_BEFORE_RAG, 10),
)
"""All sorts of tasks; their parts add up to 1000, of which 200 have no answer."""


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
                return self._turns(scenario)
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
        terms = self._terms(form, scenario, hops)
        answerable = form not in _UNANSWERABLE
        if not answerable:
            _check_hidden(self._knowledge, hops)
        return _draft(scenario, terms, hops, DraftTurn(query, len(hops), answerable), templates=phraser.templates)

    def _terms(self, form: Form, scenario: Scenario, hops: Hops) -> Terms:
        rng, topic, both = self._rng, self._domain.topic, Availability.BOTH_API_RAG
        kind = ToolKind.API if scenario is Scenario.API else ToolKind.RETRIEVER
        match form:
            case Form.ONE_KIND:
                return Terms(_ONLY[kind])
            case Form.MISSING_KIND:
                return Terms(_ONLY[_OTHER[self._some_kind(hops)]])
            case Form.NO_TOOLS:
                return Terms(Availability.NEITHER_API_RAG)
            case Form.POLICY_ELSEWHERE:
                return Terms(both, elsewhere(topic, self._split, rng))
            case Form.POLICY_KEPT:
                return Terms(both, forbidding(_OTHER[kind], topic, self._split, rng))
            case Form.FORBIDDEN:
                return Terms(both, forbidding(self._some_kind(hops), topic, self._split, rng))
            case _:
                return Terms(both)

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
                hops: Hops = (chains.start_rag(leading=True),)
                return _extended(hops, *([chains.then_api] * (2 if more else 1)))
            case _:
                if not more:
                    return _extended((chains.start_api(leading=True),), chains.then_rag)
                return _extended((chains.start_api(),), chains.then_api, chains.then_rag)

    def _turns(self, scenario: Scenario) -> Draft:
        phraser = Phraser(self._domain, self._split, self._rng)
        hops, turns = self._opening(scenario, phraser)
        while len(turns) < 2 or (len(turns) == 2 and self._rng.random() < 0.35):
            hops, turn = self._next_turn(scenario, hops, phraser)
            turns.append(turn)
        if scenario_of(hops) is not scenario:
            raise Drop("turns of another scenario")
        return _draft(scenario, Terms(Availability.BOTH_API_RAG), hops, *turns, templates=phraser.templates)

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
        _check_hidden(self._knowledge, hops)
        turns.append(turn._replace(answerable=False))
        return _draft(scenario, Terms(_ONLY[kind_of(hops[0])]), hops, *turns, templates=phraser.templates)

    def _no_source(self) -> Draft:
        hop = self._chains.start_api()
        item, table = hop.inputs[0], hop.query.view.table
        if hop.query.by != (table.key,) or not table.missing:
            raise Drop("no question without a source")
        phraser = Phraser(self._domain, self._split, self._rng)
        query = phraser.missing(self._rng.choice(table.missing), item)
        turn, terms = DraftTurn(query, 0, False), Terms(Availability.BOTH_API_RAG)
        draft = _draft(Scenario.API, terms, (), turn, templates=phraser.templates)
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


_ONLY = {ToolKind.API: Availability.ONLY_API, ToolKind.RETRIEVER: Availability.ONLY_RAG}
_OTHER = {ToolKind.API: ToolKind.RETRIEVER, ToolKind.RETRIEVER: ToolKind.API}


def _draft(scenario: Scenario, terms: Terms, hops: Hops, *turns: DraftTurn, templates: list[str]) -> Draft:
    used = (*templates, terms.policy.template) if terms.policy else tuple(templates)
    return Draft(scenario, terms, hops, turns, used)
