"""The steps from one version of a record to the next: small, pure, each tested with a file of the version it reads.

Version 1 of every kind is what was written before records said their version.
"""

from __future__ import annotations

from typing import Any

Content = dict[str, Any]


def only_additions(content: Content) -> Content:
    """The same: what the earlier version lacks has defaults in the record that say what was so before."""
    return content


def summary_2(content: Content) -> Content:
    """What nobody summed up then is empty; cached tokens were counted, so their shares are known."""
    counted = {
        "cached_share": _cached_shares(content.get("tokens", {})),
        "seconds": {"model": 0.0, "queue": 0.0, "tools": 0.0},
        "faults": {},
        "cost_usd": {},
        "scores": {},
        "judge_agreement": None,
        "episodes": [],
    }
    return counted | content


def run_2(content: Content) -> Content:
    """A run by itself, of which nobody noted where it was started, what it read and what it wrote."""
    earlier = [run_2(each) for each in content.get("earlier", [])]
    return {"sweep": None, "cwd": ".", "inputs": {}, "outputs": {}} | content | {"earlier": earlier}


def _cached_shares(tokens: Content) -> dict[str, float]:
    used = {role: usage for role, usage in tokens.items() if usage["prompt_tokens"]}
    return {role: usage["cached_tokens"] / usage["prompt_tokens"] for role, usage in used.items()}
