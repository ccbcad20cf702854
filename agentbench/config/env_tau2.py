"""τ²-bench: customers served in conversation, by tools over records and a written policy."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env_played import PlayedEnv
from agentbench.config.llm_actors import Endpoint
from agentbench.config.model import Price
from agentbench.config.schema import schema


class Tau2Domain(StrEnum):
    """Whose customers they are."""

    RETAIL = "retail"
    AIRLINE = "airline"
    TELECOM = "telecom"
    """The user has tools too: those of a phone."""
    MOCK = "mock"
    """The benchmark's own small example: a to-do list."""


class Tau2Tasks(StrEnum):
    """Which of a domain's tasks there are to choose from."""

    SPLIT = "split"
    """Those of `tasks.split`: train or test."""
    BASE = "base"
    """All that published figures are about, train and test together."""
    SMALL = "small"
    """telecom's twenty."""
    FULL = "full"
    """telecom's 2,285."""


class Tau2Policy(StrEnum):
    """What telecom's agents are told of technical support."""

    MANUAL = "manual"
    """How things work, and what to look at."""
    WORKFLOW = "workflow"
    """Step by step."""


class Claims(StrEnum):
    """What becomes of statements about the conversation, which only a reader can check."""

    JUDGED = "judged"
    """They count. With judge=none an episode that hangs on them is unscored."""
    LEFT_OUT = "left_out"
    """All else decides."""


@schema
class ScriptedUser:
    """Says all they know at once, agrees to everything, and uses a tool of theirs where a message names it."""

    kind: Literal["scripted"] = "scripted"
    patience: Annotated[int, Field(ge=1, le=100)] = 2
    """Messages of the agent in a row that ask for nothing; at the last of them the user ends the conversation."""


@schema
class LlmUser:
    """A language model that plays the user by the task's scenario."""

    kind: Literal["llm"] = "llm"
    endpoint: Endpoint
    prompt: Path | None = None
    """Text file with its instructions. Off: those that ship beside the environment."""


UserConfig = Annotated[ScriptedUser | LlmUser, Field(discriminator="kind")]


@schema
class Tau2Env(PlayedEnv):
    """Conversations with customers. An answer of the agent is a message to the user, who decides when it is over."""

    kind: Literal["tau2"] = "tau2"
    root: Path
    """Folder of the domains as they are published (`data/tau2/domains`)."""
    domain: Tau2Domain = Tau2Domain.RETAIL
    tasks: Tau2Tasks = Tau2Tasks.SPLIT
    horizon: Annotated[int, Field(ge=1, le=1000)] = 60
    """Most steps in an episode, calls and messages together; then it is truncated, and not solved."""
    user: UserConfig = ScriptedUser()
    policy: Tau2Policy = Tau2Policy.MANUAL
    claims: Claims = Claims.JUDGED
    parity: bool = True
    """Repeat the one known fault of the published tools, so that figures can be compared: a retail order of which
    several items are modified gets the last one's price and options on all of them."""

    @property
    def prices(self) -> dict[str, Price]:
        """The user's, where a model plays them."""
        return {"user": self.user.endpoint.price} if isinstance(self.user, LlmUser) else {}
