"""An overseer that is a language model: from the latest steps and the proposal it says whether the agent is stuck.

Unlike `overseer.RuleOverseer` it can see a wrong answer after the right calls, a search for the wrong thing and a rule
that words forbid. It can also be wrong, or be talked to: what the agent and the tools wrote is quoted to it as data,
yet nothing proves that it treats it so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentbench.llm.quoting import block
from agentbench.llm.structured import Message, StructuredLlm
from agentbench.policies.chat import step_seed
from agentbench.policies.situation import told_action, told_earlier, told_gold, told_question, told_steps
from agentbench.policies.triggers import TOO_EARLY, Verdict
from agentbench.types import Decision, History, Task

OVERSEER_PROMPT = Path(__file__).parent / "prompts" / "overseer.txt"
"""The instructions an overseer gets where the configuration names no others."""

KINDS = ("failing", "repeating", "off_policy", "no_progress", TOO_EARLY)
"""The ways of being stuck."""
NOT_STUCK = "none"

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "stuck": {"type": "boolean"},
        "kind": {"enum": [*KINDS, NOT_STUCK]},
    },
    "required": ["reason", "stuck", "kind"],
    "additionalProperties": False,
}
"""The reason stands first, so that it is written before the verdict it is for."""


class LlmOverseer:
    """Judges the latest `recent_limit` steps of an episode and the decision that is about to follow them."""

    def __init__(self, task: Task, recent_limit: int, ask: StructuredLlm, instructions: str, *, seed: int) -> None:
        self._task = task
        self._recent_limit = recent_limit
        self._ask = ask
        self._instructions = instructions
        self._seed = seed

    async def stuck(self, history: History, proposed: Decision) -> Verdict:
        """The kind of being stuck; empty when the agent is doing well.

        Raises:
            LlmError: the model could not be asked, or gave no verdict in all attempts.
            DataError: the gold chain refers to something that was not observed.
        """
        said = await self._ask.ask(
            "overseer",
            self._messages(history, proposed),
            VERDICT_SCHEMA,
            step_seed(self._seed, len(history.steps)),
            check=verdict_problem,
        )
        kind = said.value["kind"] if said.value["stuck"] else ""
        return Verdict(kind, said.generations, said.value["reason"].strip())

    def _messages(self, history: History, proposed: Decision) -> tuple[Message, ...]:
        blocks = (
            block("rules", *(rule.text for rule in self._task.rules)),
            block("earlier_turns", *told_earlier(history)),
            block("question", told_question(self._task, history)),
            block("gold", told_gold(self._task, history)),
            block("recent_steps", *told_steps(history, self._recent_limit)),
            block("proposal", told_action(proposed.action, history)),
        )
        return (
            {"role": "system", "content": self._instructions},
            {"role": "user", "content": "\n\n".join(blocks)},
        )


def verdict_problem(value: dict[str, Any]) -> str:
    """Why a verdict contradicts itself; empty if it does not."""
    match value:
        case {"stuck": True, "kind": "none"}:
            return f"stuck is true, so kind has to be one of {', '.join(KINDS)}"
        case {"stuck": False, "kind": str(kind)} if kind != NOT_STUCK:
            return f"stuck is false, so kind has to be {NOT_STUCK!r}, not {kind!r}"
        case _:
            return ""
