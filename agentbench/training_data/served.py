"""Whether rows say what was served: the agent's recorded prompts and sampled ids against the transcript's."""

from __future__ import annotations

from collections import Counter

from agentbench.training_data.transcript import Transcript
from agentbench.types import Actor, Generation, Step


def compare_served(steps: tuple[Step, ...], text: Transcript) -> Counter[str]:
    """Counts for `card.Served`, over the steps of one path."""
    counts: Counter[str] = Counter()
    if not text.opening_ids:
        return counts
    prompt = text.opening_ids
    for step, move in zip(steps, text.moves, strict=True):
        said = _said(step)
        if said is not None and said.prompt_ids:
            counts["equal_prompts" if said.prompt_ids == prompt else "other_prompts"] += 1
        if step.decision.actor is Actor.AGENT:
            ids = said.completion_ids if said is not None else ()
            counts["kept_actions" if ids and move.ids[: len(ids)] == ids else "encoded_actions"] += 1
        prompt += move.ids + move.seen_ids
    return counts


def _said(step: Step) -> Generation | None:
    """The agent's last generation in a step."""
    return next((said for said in reversed(step.decision.generations) if said.role == "agent"), None)
