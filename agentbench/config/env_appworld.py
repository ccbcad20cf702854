"""AppWorld: a coding agent and the apps of somebody's daily life."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env_played import PlayedEnv
from agentbench.config.schema import schema


class Docs(StrEnum):
    """What stands before the task about the apps; everything else can be looked up in code."""

    NONE = "none"
    APPS = "apps"
    """A line for each app."""
    APIS = "apis"
    """A line for each API: some 450."""


@schema
class AppWorldEnv(PlayedEnv):
    """AppWorld's own engine in an environment of its own (`make appworld`), on data that you downloaded with its own
    command, or on what `prepare source=payments` made."""

    kind: Literal["appworld"] = "appworld"
    root: Path
    """Folder that holds AppWorld's `data`."""
    dataset: str = ""
    """List of tasks: a file `<root>/data/datasets/<dataset>.txt`, such as train, dev, test_normal. Empty: the one named
    as tasks.split, with dev for validation."""
    difficulty: Annotated[int, Field(ge=1, le=3)] | None = None
    """Keep only tasks of this difficulty, 1 to 3. Off: all."""
    docs: Docs = Docs.APPS
    python: Path | None = None
    """Interpreter that has AppWorld. Off: the one of `make appworld`, .venv-appworld/bin/python."""
    horizon: Annotated[int, Field(ge=1, le=1000)] = 40
    """Most steps in an episode; then it is judged as it stands and truncated."""
    tool_timeout_s: Annotated[float, Field(ge=1)] = 100.0
    """Longest time the code of one step may take, in whole seconds; past it the agent is told so."""
    worlds_at_once: Annotated[int, Field(ge=1, le=1000)] = 8
    """Worlds open at the same time, each a process of some 100 MB; further episodes wait for one."""
    memory_gib: Annotated[float, Field(ge=1)] = 4.0
    """Address space of a world's process."""
    output_chars: Annotated[int, Field(ge=100)] = 20_000
    """Most characters of a step's output that the agent is shown."""
