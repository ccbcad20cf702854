"""Which states of an episode are branched from, and what there is to do in them beside what was done.

Nothing here draws from a generator that others draw from: what is chosen follows from seeds and from what was said.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Sequence

from agentbench.config.branching import BranchesConfig, Branching, Confidence
from agentbench.episodes.tally import differ
from agentbench.policies import OWN_ROLES
from agentbench.types import Action, Actor, Decision, Generation, History, ToolSpec, Usage


def branch_seed(seed: int, step: int, number: int) -> int:
    """The 32-bit seed of the `number`-th branch that leaves a path with this seed in the state after `step` steps."""
    digest = hashlib.blake2b(f"{seed}:branch:{step}:{number}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big")


def is_chosen(kind: Branching, limits: BranchesConfig, seed: int, history: History, decision: Decision) -> bool:
    """Whether the state in which a path with this seed takes a decision is branched from."""
    match kind:
        case Branching.RANDOM:
            return _chance(seed, len(history.steps)) < limits.probability
        case Branching.LOW_CONFIDENCE:
            sure = confidence(decision, limits.confidence)
            return sure is not None and sure < limits.threshold
        case Branching.DIVERGENCE:
            return bool(others(decision, history.tools))
        case Branching.NONE:
            return False


def confidence(decision: Decision, of: Confidence) -> float | None:
    """The agent's natural-log probability per token of what it said last, mean or least; `None` where it is unknown."""
    mine = (item.logprobs for item in reversed(decision.generations) if item.role in OWN_ROLES and item.logprobs)
    logprobs = next(mine, None)
    if logprobs is None:
        return None
    return min(logprobs) if of is Confidence.MIN else math.fsum(logprobs) / len(logprobs)


def others(decision: Decision, tools: tuple[ToolSpec, ...]) -> tuple[Decision, ...]:
    """What another actor would have done that differs in effect, with what that actor said.

    What was said is counted where it was asked for: the copies here have no usage and took no time.
    """
    found = (other for other in decision.alternatives if differ(decision.action, other.action, tools))
    return tuple(Decision(other.action, other.actor, generations=_copies(decision, other.actor)) for other in found)


def is_known(action: Action, known: Sequence[Action], tools: tuple[ToolSpec, ...]) -> bool:
    """Whether an action does the same as one of those known."""
    return any(not differ(action, other, tools) for other in known)


def _copies(decision: Decision, actor: Actor) -> tuple[Generation, ...]:
    roles = OWN_ROLES if actor is Actor.AGENT else {actor.value}
    said = (item for item in decision.generations if item.role in roles)
    return tuple(dataclasses.replace(item, usage=Usage(), seconds=0.0, queue_seconds=0.0, faults=()) for item in said)


def _chance(seed: int, step: int) -> float:
    """A number in [0, 1) for every state of a path."""
    digest = hashlib.blake2b(f"{seed}:chance:{step}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
