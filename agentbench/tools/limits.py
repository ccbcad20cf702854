"""How long a tool may take, how much it may say, and how many calls of it may be under way at once, over a run.

A limit in time acts where the tool awaits. Code that blocks the event loop outlasts it: tools whose calls take long
belong behind a thread or a process (`blocking.py` puts a function there), or a server of their own, as SQL over large
files, embeddings, HTTP and MCP have it. A thread that is given up goes on by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from agentbench.errors import ToolError
from agentbench.tools import Tool
from agentbench.types import Observation

LONGEST_RESULT = 1_000_000
"""Characters of a result that an agent gets to read: more fits into no prompt, and would be kept with every step."""


class ToolLimits:
    """Limits that all episodes of an event loop share; calls that wait for their turn are served in order."""

    def __init__(self, timeout_s: float, at_once: Mapping[str, int]) -> None:
        """`timeout_s`: longest time of a call, waiting for its turn not included; `at_once`: most calls by tool."""
        self._timeout_s = timeout_s
        self._turns = {name: asyncio.Semaphore(most) for name, most in at_once.items()}

    async def call(self, tool: Tool, arguments: dict[str, Any]) -> Observation:
        """What the tool says.

        Raises:
            ToolError: the tool failed, took too long, or said too much.
        """
        turn = self._turns.get(tool.spec.name)
        async with turn or nullcontext():
            given = await self._in_time(tool, arguments)
        if len(given.text) > LONGEST_RESULT:
            raise ToolError(f"{tool.spec.name!r} gave {len(given.text):,} characters; ask it for less")
        return given

    async def _in_time(self, tool: Tool, arguments: dict[str, Any]) -> Observation:
        clock = asyncio.timeout(self._timeout_s)
        try:
            async with clock:
                return await tool.call(arguments)
        except TimeoutError as error:
            if not clock.expired():
                raise
            raise ToolError(f"{tool.spec.name!r} gave no result within {self._timeout_s:g} s") from error
