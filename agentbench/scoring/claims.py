"""Statements about a conversation, which only a reader can check: a language model says whether each of them holds.

An environment puts them into `evidence["claims"]` where its own verdict is open without them. A judge errs and can be
talked to by what it reads; one that fails has no opinion, and the episode stays unscored.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.llm.quoting import block
from agentbench.llm.structured import StructuredError, StructuredLlm
from agentbench.types import CallTools, Final, Generation, History, Malformed, Trajectory

CLAIMS_PROMPT = Path(__file__).parent / "prompts" / "judge_claims.txt"
"""The instructions a judge of statements gets where the configuration names no others."""
CLAIMS = "claims"
"""Where evidence holds the statements."""


class Opinion(NamedTuple):
    """How many of the statements hold; `share` is `None`, with the cause as reason, where nobody could say."""

    share: float | None
    reason: str
    generations: tuple[Generation, ...] = ()


class ClaimsJudge:
    """Asks a language model about all statements of an episode at once."""

    def __init__(self, ask: StructuredLlm, instructions: str, seed: int) -> None:
        self._ask = ask
        self._instructions = instructions
        self._seed = seed

    async def opinion(self, trajectory: Trajectory, claims: list[str]) -> Opinion:
        """Which share of the statements holds, with a reason for each that does not."""
        blocks = (
            block("opening", trajectory.history.opening.text),
            block("conversation", *_told(trajectory.history)),
            block("statements", *claims),
        )
        messages = (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": "\n\n".join(blocks)},
        )
        try:
            said = await self._ask.ask("judge", messages, _schema(len(claims)), self._seed)
        except StructuredError as error:
            return Opinion(None, f"unscored: {error}", error.generations)
        verdicts = said.value["verdicts"]
        failing = [each["reason"] for each in verdicts if not each["holds"]]
        share = 1 - len(failing) / len(claims)
        return Opinion(share, " | ".join(failing) or "all statements hold", said.generations)


def _schema(count: int) -> dict[str, Any]:
    verdict = {
        "type": "object",
        "properties": {"reason": {"type": "string"}, "holds": {"type": "boolean"}},
        "required": ["reason", "holds"],
        "additionalProperties": False,
    }
    verdicts = {"type": "array", "items": verdict, "minItems": count, "maxItems": count}
    return {
        "type": "object",
        "properties": {"verdicts": verdicts},
        "required": ["verdicts"],
        "additionalProperties": False,
    }


def _told(history: History) -> Iterator[dict[str, Any]]:
    for step in history.steps:
        match step.decision.action:
            case Final(answer=message):
                yield {"agent": message}
                if step.observation.text:
                    yield {"customer": step.observation.text}
            case CallTools(calls=calls):
                made = [{"tool": call.name, "arguments": call.arguments} for call in calls]
                yield {"calls": made, "result": step.observation.text}
            case Malformed(reason=reason):
                yield {"unusable": reason}
