"""Messages that are kept and never sent, and a user who replies from the task."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.tools.assistant import specs
from agentbench.tools.assistant.outbox import CreateEvent, Outbox, SendEmail
from agentbench.tools.assistant.person import NO_REPLY, AskUser

MAIL = {"to": "ann@example.org", "subject": "Hi", "body": "See you."}
EVENT = {"title": "Tea", "start": "2025-03-14T09:30", "end": "2025-03-14T10:30"}


def call(tool: Tool, arguments: dict[str, Any]) -> Any:
    return json.loads(asyncio.run(tool.call(arguments)).text)


def test_what_would_be_sent_is_kept_in_order() -> None:
    outbox = Outbox()
    assert call(SendEmail(outbox), MAIL) == {"status": "done", "email": 1}
    assert call(SendEmail(outbox), {**MAIL, "subject": "Again"})["email"] == 2
    assert call(CreateEvent(outbox), EVENT) == {"status": "done", "event": 1}
    assert outbox.record() == {"emails": [MAIL, {**MAIL, "subject": "Again"}], "events": [EVENT]}


@pytest.mark.parametrize("address", ["ann", "@example.org", "ann@", "ann smith@example.org"])
def test_an_email_needs_an_address(address: str) -> None:
    outbox = Outbox()
    with pytest.raises(ToolError, match="is no email address"):
        call(SendEmail(outbox), {**MAIL, "to": address})
    assert outbox.record()["emails"] == []


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ({"start": "tomorrow"}, "start='tomorrow' is no time"),
        ({"end": "2025-03-14T09:00"}, "before it starts"),
        ({"end": "2025-03-14T10:30+01:00"}, "both name a time zone"),
    ],
)
def test_an_event_needs_times_in_order(times: dict[str, str], problem: str) -> None:
    with pytest.raises(ToolError, match=problem):
        call(CreateEvent(Outbox()), {**EVENT, **times})


def test_the_user_gives_the_task_s_replies_and_then_has_nothing_to_add() -> None:
    person = AskUser(["On Friday."])
    said = [call(person, {"question": question})["reply"] for question in ("When?", "Where?")]
    assert said == ["On Friday.", NO_REPLY]
    assert person.record()["questions"][0] == {"question": "When?", "reply": "On Friday."}


def test_specs_are_closed_schemas_without_made_up_titles() -> None:
    for spec in (specs.CALCULATOR, specs.SEARCH_WEB, specs.RUN_PYTHON, specs.SEND_EMAIL, specs.CREATE_EVENT):
        assert spec.parameters["additionalProperties"] is False and spec.parameters["required"]
        assert all("title" not in each and each["description"] for each in spec.parameters["properties"].values())
