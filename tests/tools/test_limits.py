"""Limits that every tool of a run has: here, how much one may say."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agentbench.errors import ToolError
from agentbench.tools.limits import LONGEST_RESULT, ToolLimits
from agentbench.types import Observation, ToolSpec


class Repeats:
    """Says a letter as often as it is asked to."""

    spec = ToolSpec("repeat", "", {"type": "object", "properties": {"times": {"type": "integer"}}})

    async def call(self, arguments: dict[str, Any]) -> Observation:
        return Observation("a" * arguments["times"])


@pytest.mark.parametrize("at_once", [{}, {"repeat": 1}])
def test_a_result_that_fits_into_no_prompt_is_the_tools_failure(at_once: dict[str, int]) -> None:
    limits = ToolLimits(5.0, at_once)
    assert len(asyncio.run(limits.call(Repeats(), {"times": LONGEST_RESULT})).text) == 1_000_000
    with pytest.raises(ToolError, match="'repeat' gave 1,000,001 characters; ask it for less"):
        asyncio.run(limits.call(Repeats(), {"times": LONGEST_RESULT + 1}))
