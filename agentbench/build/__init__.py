"""The composition root: typed configuration in, objects out. Nothing else knows which class a kind stands for.

    worlds → search, interface → fields → models, actors → runs → training      each file builds on those before it

One `match` per kind; heavy libraries are imported inside the cases that need them.
"""

from __future__ import annotations

from collections.abc import Callable

from agentbench.tools import Tool
from agentbench.types import Task

Report = Callable[[str], None]
"""Takes a line for the user."""

ToolMaker = Callable[[Task | None], tuple[Tool, ...]]
"""The tools of one episode; without a task those of the whole world."""

WORLD_SEED = 0
"""Embedded worlds asked for by name are the same for every run, whatever the run's own seed."""
