"""What models say inside an environment, a simulated user or tool, kept in its evidence for accounting alone.

The words themselves are in the observations. Of branches that leave an episode nothing is kept: evidence is the
executed path's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from agentbench.types import Generation, Usage

SPOKEN = "spoken"
"""Where evidence holds it."""


def accounted(generations: Iterable[Generation]) -> dict[str, Any]:
    """Evidence of what was said: by whom, tokens, seconds and faults; empty where nobody spoke."""
    said = [
        {
            "role": each.role,
            "prompt_tokens": each.usage.prompt_tokens,
            "completion_tokens": each.usage.completion_tokens,
            "cached_tokens": each.usage.cached_tokens,
            "seconds": each.seconds,
            "queue_seconds": each.queue_seconds,
            "faults": list(each.faults),
        }
        for each in generations
    ]
    return {SPOKEN: said} if said else {}


def spoken(evidence: Mapping[str, Any]) -> tuple[Generation, ...]:
    """What stands in evidence, as generations without words."""
    return tuple(_generation(**each) for each in evidence.get(SPOKEN, ()))


def _generation(
    *,
    role: str,
    prompt_tokens: int,
    completion_tokens: int,
    cached_tokens: int,
    seconds: float,
    queue_seconds: float,
    faults: list[str],
) -> Generation:
    usage = Usage(prompt_tokens, completion_tokens, cached_tokens)
    return Generation(role, "", usage=usage, seconds=seconds, queue_seconds=queue_seconds, faults=tuple(faults))
