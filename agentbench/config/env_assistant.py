"""An assistant's tools, real ones or ones that a model answers for."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env_played import PlayedEnv
from agentbench.config.llm_actors import Endpoint
from agentbench.config.model import Price
from agentbench.config.schema import schema


class AssistantTool(StrEnum):
    """The tools there are."""

    CALCULATOR = "calculator"
    SEARCH_ENCYCLOPEDIA = "search_encyclopedia"
    """Passages of a dump that `prepare source=dump` has indexed."""
    SEARCH_WEB = "search_web"
    """A SearXNG server's results, their pages read and summed up."""
    RUN_PYTHON = "run_python"
    ASK_USER = "ask_user"
    """The task's `data.replies`, one after the other; simulated: a model plays the user."""
    SEND_EMAIL = "send_email"
    """Kept in the episode's evidence, never sent."""
    CREATE_EVENT = "create_event"
    """Kept in the episode's evidence, in no calendar."""


@schema
class SimulatorConfig:
    """The model that answers in the place of tools."""

    endpoint: Endpoint
    no_answer: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that a simulated tool gives nothing; the same call in the same task always has the same fate."""
    partial_answer: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Probability that it gives only a part."""
    prompt: Path | None = None
    """Text file with its instructions. Off: the one that ships beside the tool."""


@schema
class EncyclopediaConfig:
    """What `search_encyclopedia` searches."""

    folder: Path
    """Folder written by `python -m agentbench.prepare source=dump`."""
    top_k: Annotated[int, Field(ge=1, le=100)] = 3
    """Passages per query."""


@schema
class WebConfig:
    """What `search_web` asks."""

    url: str
    """Address of a SearXNG server whose settings allow the format json."""
    pages: Annotated[int, Field(ge=1, le=20)] = 3
    """Results whose pages are read."""
    page_chars: Annotated[int, Field(ge=100)] = 4000
    """What counts of a page's text, from its beginning, in characters."""
    timeout_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    """Longest time for one request, in seconds."""
    private_addresses: bool = False
    """Whether pages on this machine and in private networks are read."""
    summary: Endpoint | None = None
    """The model that sums up what the pages say. Off: the agent gets their texts."""


@schema
class PythonConfig:
    """What a program of `run_python` may use. What keeps it in, and what does not, stands in
    `agentbench/tools/assistant/sandbox.py`."""

    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 10.0
    """Wall time, in seconds."""
    cpu_s: Annotated[int, Field(ge=1)] = 5
    """Processor time, in seconds."""
    memory_mib: Annotated[int, Field(ge=64)] = 512
    """Memory, in MiB."""
    file_mib: Annotated[int, Field(ge=0)] = 16
    """Longest file it may write, in MiB."""
    output_chars: Annotated[int, Field(ge=100)] = 10_000
    """Longest output, in characters."""


@schema
class AssistantEnv(PlayedEnv):
    """Search, arithmetic, code and messages, on requests from a file (`tasks.file`), for which nobody knows the one
    right answer: `scorer=rating` has a judge rate what was done."""

    kind: Literal["assistant"] = "assistant"
    horizon: Annotated[int, Field(ge=1, le=1000)] = 10
    """Most steps in an episode; then it is truncated and counts as not completed."""
    tools: tuple[AssistantTool, ...] = (
        AssistantTool.CALCULATOR,
        AssistantTool.RUN_PYTHON,
        AssistantTool.ASK_USER,
        AssistantTool.SEND_EMAIL,
        AssistantTool.CREATE_EVENT,
    )
    """Those that the agent is offered, in this order."""
    simulated: tuple[AssistantTool, ...] = ()
    """Those of them that `simulator` answers for; their specs are the real ones'."""
    simulator: SimulatorConfig | None = None
    encyclopedia: EncyclopediaConfig | None = None
    web: WebConfig | None = None
    python: PythonConfig = PythonConfig()
    enforce_rules: bool = True
    """Whether a call that a task's rules forbid is refused (otherwise it is carried out and only recorded)."""
    tool_timeout_s: Annotated[float, Field(gt=0)] = 120.0
    """Longest time one tool call may take, in seconds; past it the agent is told so."""
    tool_concurrency: dict[str, Annotated[int, Field(ge=1)]] = field(default_factory=dict)
    """Most calls under way at once, over all episodes, by name of tool: `{run_python: 2}`. Others: any."""

    @property
    def prices(self) -> dict[str, Price]:
        """The simulated tools', where there are some."""
        return {"simulated_tool": self.simulator.endpoint.price} if self.simulated and self.simulator else {}
