"""Which made call is held against which gold call, and how far two calls agree.

Calls made together are compared in any order. Two calls are the same when names are equal and arguments are, once the
defaults that the tool's schema names are filled in: JSON equality, in which 1 is 1.0 and "1" is neither. Lists are
compared in order and texts to the letter: what a user would take for the same value in other words is another one here.
References between calls (`$var1.id$`) are texts like any other, so a sequence that numbers its calls otherwise is not
recognised.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from agentbench.tasks.gold import defaults_of, same_value
from agentbench.types import ToolCall, ToolSpec

Specs = Mapping[str, ToolSpec]
"""The tools on offer, by name."""


class Match(NamedTuple):
    """A gold call and the made one that is held against it, both of one function."""

    gold: ToolCall
    made: ToolCall


class Pairing(NamedTuple):
    """All calls of two actions."""

    matches: tuple[Match, ...]
    missing: tuple[ToolCall, ...]
    """Gold calls with no partner."""
    extra: tuple[ToolCall, ...]
    """Made calls with no partner."""


class Difference(NamedTuple):
    """An argument that two calls do not share; one that a call does not have is absent there."""

    name: str
    gold: Any
    made: Any


ABSENT = object()


class Comparison(NamedTuple):
    """The arguments of two calls."""

    compared: int
    """Arguments that either has."""
    differences: tuple[Difference, ...]

    @property
    def agreed(self) -> int:
        """Arguments that both have, with the same value."""
        return self.compared - len(self.differences)


def paired(wanted: Sequence[ToolCall], made: Sequence[ToolCall], specs: Specs) -> Pairing:
    """Calls of one function in pairs, those that agree most first, and the calls that are left over."""
    partner: dict[int, int] = {}
    for i, j in sorted(_same_function(wanted, made), key=lambda ij: -_agreement(wanted[ij[0]], made[ij[1]], specs)):
        if i not in partner and j not in partner.values():
            partner[i] = j
    return Pairing(
        tuple(Match(wanted[i], made[partner[i]]) for i in sorted(partner)),
        tuple(call for i, call in enumerate(wanted) if i not in partner),
        tuple(call for j, call in enumerate(made) if j not in partner.values()),
    )


def compared(match: Match, specs: Specs) -> Comparison:
    """The arguments of a gold call and its partner, defaults filled in."""
    gold, made = _filled(match.gold, specs), _filled(match.made, specs)
    names = sorted(gold.keys() | made.keys())
    both = (Difference(name, gold.get(name, ABSENT), made.get(name, ABSENT)) for name in names)
    return Comparison(len(names), tuple(each for each in both if not same_value(each.gold, each.made)))


def _same_function(wanted: Sequence[ToolCall], made: Sequence[ToolCall]) -> Iterator[tuple[int, int]]:
    for i, gold in enumerate(wanted):
        yield from ((i, j) for j, call in enumerate(made) if call.name == gold.name)


def _agreement(gold: ToolCall, made: ToolCall, specs: Specs) -> float:
    """Share of the arguments that agree."""
    found = compared(Match(gold, made), specs)
    return found.agreed / found.compared if found.compared else 1.0


def _filled(call: ToolCall, specs: Specs) -> dict[str, Any]:
    spec = specs.get(call.name)
    return {**(defaults_of(spec) if spec else {}), **call.arguments}
