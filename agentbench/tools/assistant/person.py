"""`ask_user` where nobody sits at the keyboard: the task says what its user would reply."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from agentbench.tools.assistant.specs import ASK_USER
from agentbench.types import Observation

NO_REPLY = "I have nothing to add. Use your judgement."


class AskUser:
    """Gives the replies of the task one after the other, then says that there is nothing to add."""

    spec = ASK_USER

    def __init__(self, replies: Sequence[str]) -> None:
        self._replies = list(replies)
        self._asked: list[dict[str, str]] = []

    def record(self) -> dict[str, Any]:
        """Questions with their replies, for the environment's evidence."""
        return {"questions": list(self._asked)}

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The user's reply."""
        reply = self._replies.pop(0) if self._replies else NO_REPLY
        self._asked.append({"question": arguments["question"], "reply": reply})
        return Observation(orjson.dumps({"reply": reply}).decode())
