"""One τ²-bench conversation: a copy of the domain's records, the tools over them, the user, and the verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from agentbench.envs.users import Hands, MakeUser, Script, User
from agentbench.llm.spoken import accounted
from agentbench.tasks.tau2 import Published, UserScenario
from agentbench.tools import Tool
from agentbench.tools.tau2.domains import Databases
from agentbench.tools.tau2.outcome import Conversation, Ends, verdict
from agentbench.tools.tau2.replay import begun, replayed
from agentbench.tools.tau2.world import Domain, DomainTool, World
from agentbench.types import ToolCall

HAND_OVER = "transfer_to_human_agents"
"""The tool that hands the user over to a person."""


class Case(NamedTuple):
    """What the episodes of one task share."""

    domain: Domain
    databases: Databases
    published: Published
    parity: bool
    """Whether tools repeat the published ones' faults."""
    claims_count: bool
    """Whether statements about the conversation count."""


class Tau2Scene:
    """A conversation's world and user."""

    def __init__(self, case: Case, world: World, hands: Hands, user: User) -> None:
        self._case = case
        self._world = world
        self._hands = hands
        self.user = user
        self.tools: tuple[Tool, ...] = tuple(DomainTool(each, case.domain, world) for each in case.domain.tools)

    def evidence(self, said: Sequence[str], calls: Sequence[ToolCall], ended: bool) -> dict[str, Any]:
        """The verdict, what the user did, the statements that a judge would be asked, and what the user cost."""
        case, criteria = self._case, self._case.published.evaluation_criteria
        reference = replayed(case.domain, case.databases, case.published, parity=case.parity).world
        talk = Conversation(said, [*calls, *(done.call for done in self._hands.done)], ended)
        ends = Ends(self._world, reference)
        found = verdict(case.domain, criteria, ends, talk, claims_count=case.claims_count)
        done = [{**dataclasses.asdict(each.call), "result": each.result} for each in self._hands.done]
        claims = list(criteria.claims) if case.claims_count else []
        cost = accounted(self.user.spoken)
        return {"verdict": dataclasses.asdict(found), "user_calls": done, "claims": claims, **cost}

    def fork(self) -> Tau2Scene:
        """A copy of its own."""
        world = self._world.fork()
        hands = self._hands.fork(_user_tools(self._case.domain, world))
        return Tau2Scene(self._case, world, hands, self.user.fork(hands))


def tau2_scene(case: Case, make_user: MakeUser) -> Tau2Scene:
    """The beginning of a task.

    Raises:
        DataError: the task begins with something that its domain does not know.
    """
    world = begun(case.domain, case.databases, case.published, parity=case.parity)
    hands = Hands(_user_tools(case.domain, world))
    return Tau2Scene(case, world, hands, make_user(hands))


def script(published: Published, patience: int) -> Script:
    """What a scripted user of the task goes by: says all they know at once, uses tools as the reference does."""
    scenario = published.user_scenario
    ways: dict[str, list[dict[str, Any]]] = {}
    for act in published.acts:
        if act.requestor == "user":
            ways.setdefault(act.name, []).append(act.arguments)
    return Script("\n".join(text for text in (scenario.reason, scenario.known) if text), ways, patience)


def told_scenario(scenario: UserScenario) -> dict[str, Any]:
    """Who the user is, as a model that plays them is told."""
    own = scenario.instructions
    wants = (
        {"why_you_call": own}
        if isinstance(own, str)
        else {
            "why_you_call": own.reason_for_call,
            "what_you_know": own.known_info,
            "what_you_do_not_know": own.unknown_info,
            "how_you_go_on": own.task_instructions,
        }
    )
    return {key: value for key, value in {"persona": scenario.persona, **wants}.items() if value}


def _user_tools(domain: Domain, world: World) -> tuple[Tool, ...]:
    return tuple(DomainTool(each, domain, world) for each in domain.user_tools)
