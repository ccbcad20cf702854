"""Handing a conversation over to a person, which agents of all domains can do."""

from __future__ import annotations

from agentbench.tools.tau2.world import World, offered, text


def transfer_to_human_agents(_world: World, summary: str) -> str:
    """Nothing in the records changes; what was asked for and done is in the summary."""
    return "The conversation was handed over to a person."


TRANSFER = offered(
    transfer_to_human_agents,
    "Hand the user over to a person, where they ask for one or the policy leaves nothing else to do.",
    {"summary": text("What the user wants and what was done, in a sentence or two.")},
)
