"""Messages and events that an agent writes in the user's name: kept, shown to whoever grades, and never sent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from agentbench.errors import ToolError
from agentbench.tools.assistant.specs import CREATE_EVENT, SEND_EMAIL
from agentbench.types import Observation


class Outbox:
    """What one episode would have sent, in order."""

    def __init__(self) -> None:
        self._emails: list[dict[str, Any]] = []
        self._events: list[dict[str, Any]] = []

    def record(self) -> dict[str, Any]:
        """All of it, for the environment's evidence."""
        return {"emails": list(self._emails), "events": list(self._events)}

    def keep_email(self, email: dict[str, Any]) -> int:
        """Keeps an email; gives its number."""
        self._emails.append(email)
        return len(self._emails)

    def keep_event(self, event: dict[str, Any]) -> int:
        """Keeps an event; gives its number."""
        self._events.append(event)
        return len(self._events)


class SendEmail:
    """`send_email`: into the outbox of the episode."""

    spec = SEND_EMAIL

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The number of the message.

        Raises:
            ToolError: the address is none.
        """
        name, at, host = arguments["to"].strip().rpartition("@")
        if not (name and at and host) or " " in arguments["to"].strip():
            raise ToolError(f"{arguments['to']!r} is no email address")
        return _kept("email", self._outbox.keep_email(arguments))


class CreateEvent:
    """`create_event`: into the outbox of the episode."""

    spec = CREATE_EVENT

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """The number of the event.

        Raises:
            ToolError: its times are none, or it ends before it starts.
        """
        start, end = _time("start", arguments), _time("end", arguments)
        if (start.tzinfo is None) != (end.tzinfo is None):
            raise ToolError("start and end must both name a time zone, or neither")
        if end < start:
            raise ToolError(f"the event ends ({arguments['end']}) before it starts ({arguments['start']})")
        return _kept("event", self._outbox.keep_event(arguments))


def _time(name: str, arguments: dict[str, Any]) -> datetime:
    try:
        return datetime.fromisoformat(arguments[name])
    except ValueError:
        raise ToolError(f"{name}={arguments[name]!r} is no time; write it as 2025-03-14T09:30") from None


def _kept(what: str, number: int) -> Observation:
    return Observation(orjson.dumps({"status": "done", what: number}).decode())
