"""The grid of task settings: which tools exist, which policy is given, which sources a question needs.

Every availability is crossed with every policy and every scenario. Whether a setting has an answer follows from it: it
has none where a kind of tool that the question needs does not exist or is forbidden by a policy that binds.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate, pairwise
from typing import NamedTuple

from agentbench.config.env import Availability, Scenario
from agentbench.types import ToolKind
from agentbench.worlds.policies import FORBIDDEN, PolicyKind

TOOLS = {
    Availability.BOTH_API_RAG: (ToolKind.API, ToolKind.RETRIEVER),
    Availability.ONLY_API: (ToolKind.API,),
    Availability.ONLY_RAG: (ToolKind.RETRIEVER,),
    Availability.NEITHER_API_RAG: (),
}
"""Kinds of tool that exist."""
NEEDS = {
    Scenario.API: (ToolKind.API,),
    Scenario.RAG: (ToolKind.RETRIEVER,),
    Scenario.RAG_BEFORE_API: (ToolKind.RETRIEVER, ToolKind.API),
    Scenario.API_BEFORE_RAG: (ToolKind.API, ToolKind.RETRIEVER),
}
"""Kinds of tool that a question needs, in the order it needs them."""


class Cell(NamedTuple):
    """One setting of the grid."""

    scenario: Scenario
    availability: Availability = Availability.BOTH_API_RAG
    policy: PolicyKind = PolicyKind.NONE
    several: bool = False
    """Whether two or three questions build on each other; only the last one may then be without an answer."""
    sourced: bool = True
    """Whether any source holds what is asked."""

    @property
    def usable(self) -> frozenset[ToolKind]:
        """Kinds of tool that exist and may be called."""
        return frozenset(TOOLS[self.availability]) - {FORBIDDEN.get(self.policy)}

    @property
    def answerable(self) -> bool:
        """Whether every question has an answer."""
        return self.sourced and self.usable.issuperset(NEEDS[self.scenario])


class Share(NamedTuple):
    """How large a part of a split is made in one cell."""

    cell: Cell
    parts: int


Row = tuple[int, int, int, int]
"""Parts for the scenarios in the order of `NEEDS`."""

_BOTH, _API, _RAG, _NEITHER = TOOLS
_NONE, _ONLY, _NEVER, _TOPIC_ONLY, _TOPIC_NEVER, _ELSEWHERE = PolicyKind
_RARE: Row = (12, 12, 12, 12)
"""The least: of 300 tasks at least a third of one, so that three worlds whose rounding is rotated have each cell."""

_ONE: dict[tuple[Availability, PolicyKind], Row] = {
    (_BOTH, _NONE): (1450, 950, 950, 850),
    (_BOTH, _ONLY): (26, 125, 26, 26),
    (_BOTH, _NEVER): (125, 26, 26, 26),
    (_BOTH, _TOPIC_ONLY): (26, 125, 26, 26),
    (_BOTH, _TOPIC_NEVER): (125, 26, 26, 26),
    (_BOTH, _ELSEWHERE): (120, 120, 130, 130),
    (_API, _NONE): (460, 80, 80, 80),
    (_API, _ONLY): _RARE,
    (_API, _NEVER): (25, 12, 12, 12),
    (_API, _TOPIC_ONLY): _RARE,
    (_API, _TOPIC_NEVER): (25, 12, 12, 12),
    (_API, _ELSEWHERE): (25, 12, 12, 12),
    (_RAG, _NONE): (80, 370, 80, 80),
    (_RAG, _ONLY): (12, 25, 12, 12),
    (_RAG, _NEVER): _RARE,
    (_RAG, _TOPIC_ONLY): (12, 25, 12, 12),
    (_RAG, _TOPIC_NEVER): _RARE,
    (_RAG, _ELSEWHERE): (12, 25, 12, 12),
    (_NEITHER, _NONE): (25, 25, 25, 25),
    **{(_NEITHER, policy): _RARE for policy in PolicyKind if policy is not _NONE},
}
_SEVERAL: dict[tuple[Availability, PolicyKind], Row] = {
    (_BOTH, _NONE): (480, 340, 430, 390),
    (_BOTH, _ONLY): (0, 15, 15, 0),
    (_BOTH, _NEVER): (15, 0, 0, 15),
    (_BOTH, _TOPIC_ONLY): (0, 15, 15, 0),
    (_BOTH, _TOPIC_NEVER): (15, 0, 0, 15),
    (_BOTH, _ELSEWHERE): (20, 20, 20, 20),
    (_API, _NONE): (20, 0, 0, 50),
    (_RAG, _NONE): (0, 20, 50, 0),
}
"""Several questions are asked only where the first of them has an answer."""
_NO_SOURCE = Share(Cell(Scenario.API, sourced=False), 300)


def _shares() -> tuple[Share, ...]:
    found = [
        Share(Cell(scenario, availability, policy, several), parts)
        for several, table in ((False, _ONE), (True, _SEVERAL))
        for (availability, policy), row in table.items()
        for scenario, parts in zip(NEEDS, row, strict=True)
        if parts
    ]
    return tuple(sorted([*found, _NO_SOURCE], key=lambda share: not share.cell.answerable))


SHARES = _shares()
"""All settings that are made, those with an answer first; parts add up to 10,000, of which 2,000 have none."""


def quotas(shares: tuple[Share, ...], count: int, rotation: Fraction) -> tuple[int, ...]:
    """How many tasks of each share make up `count`, each rounded up or down.

    Rounding is systematic: places stand at equal distances along the shares laid end to end, moved on by `rotation`,
    in [0, 1), of the distance. So neighbours together are never more than one task off, and worlds with rotations 0,
    1/3 and 2/3 have between them every share that is worth a third of a task.
    """
    total = sum(share.parts for share in shares)
    ends = accumulate((share.parts for share in shares), initial=0)
    places = [int(Fraction(count * end, total) + rotation) for end in ends]
    return tuple(after - before for before, after in pairwise(places))
