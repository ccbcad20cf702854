"""The benchmark's own verdict on a conversation, part by part.

A conversation counts as solved where all parts that its task's basis names are whole:

- `db`: company's and user's records are equal to those that the reference actions leave. Reference actions that are
  refused are left out on that side; a task with neither reference actions nor assertions has nothing to compare.
- `env_assertions`: all of them hold.
- `actions`: the share of reference actions that were called, by the agent or the user, whatever came of the call.
- `communicate`: every piece of information stands in some message of the agent, commas left out, whatever its case.

A conversation that nobody ended is not solved. Statements about the conversation (`NL_ASSERTION`) take a reader: where
a task's basis has them and all else is whole, the verdict is open and the statements are what a judge is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from agentbench.tasks.tau2 import Act, Basis, Check, Criteria
from agentbench.tools.tau2.world import Domain, World
from agentbench.types import ToolCall, Verdict


class Conversation(NamedTuple):
    """What happened."""

    said: Sequence[str]
    """The agent's messages to the user."""
    calls: Sequence[ToolCall]
    """All calls that were tried, the agent's and the user's."""
    ended: bool
    """Whether the user ended it."""


class Ends(NamedTuple):
    """Two worlds: how it came out, and how it should have."""

    came: World
    reference: World


def verdict(domain: Domain, criteria: Criteria, ends: Ends, talk: Conversation, *, claims_count: bool) -> Verdict:
    """What the benchmark says; with `claims_count` it stays open where only a reader could tell."""
    parts = _parts(domain, criteria, ends, talk)
    basis = [name for name in (_PART_OF[each] for each in criteria.reward_basis if each in _PART_OF) if name in parts]
    short = [name for name in basis if parts[name] < 1.0]
    if not talk.ended:
        return Verdict(False, "the user has not ended the conversation", parts)
    if short:
        return Verdict(False, f"not as the reference: {', '.join(short)}", parts)
    if claims_count and criteria.claims:
        return Verdict(None, f"{len(criteria.claims)} statements about the conversation need a judge", parts)
    return Verdict(True, f"as the reference: {', '.join(basis) or 'nothing to compare'}", parts)


_PART_OF = {
    Basis.DB: "db",
    Basis.ENV_ASSERTION: "env_assertions",
    Basis.ACTION: "actions",
    Basis.COMMUNICATE: "communicate",
}


def _parts(domain: Domain, criteria: Criteria, ends: Ends, talk: Conversation) -> dict[str, float]:
    nothing_to_compare = criteria.actions is None and criteria.env_assertions is None
    parts = {"db": float(nothing_to_compare or _same(ends))}
    if criteria.env_assertions:
        held = (_holds(domain, ends.came, check) for check in criteria.env_assertions)
        parts["env_assertions"] = float(all(held))
    if criteria.actions:
        taken = [any(_is(act, call) for call in talk.calls) for act in criteria.actions]
        parts["actions"] = sum(taken) / len(taken)
    if criteria.communicate_info:
        told = [message.lower().replace(",", "") for message in talk.said]
        wanted = [info.lower() for info in criteria.communicate_info]
        parts["communicate"] = float(all(any(info in message for message in told) for info in wanted))
    return parts


def _same(ends: Ends) -> bool:
    came, reference = ends
    company = came.company.changes() == reference.company.changes()
    return company and came.user.changes() == reference.user.changes()


def _holds(domain: Domain, world: World, check: Check) -> bool:
    return domain.checks[check.func_name](world, **check.arguments) == check.assert_value


def _is(act: Act, call: ToolCall) -> bool:
    if call.name != act.name:
        return False
    compared = call.arguments.keys() if act.compare_args is None else act.compare_args
    ours, theirs = ({name: each[name] for name in compared if name in each} for each in (call.arguments, act.arguments))
    return ours == theirs
