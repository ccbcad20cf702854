"""Copies of an episode's tools, for environments that are brought back to an earlier state."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from agentbench.tools import Tool
from agentbench.tools.interface import PresentedTool
from agentbench.tools.sql.handle_tools import HandleTool
from agentbench.tools.sql.vakra.tools import VakraTool


def forked(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """The same tools with the handles that exist now; those made from now on are not seen by the other tools.

    Tools over one table of handles go on sharing one. All other tools are taken to keep nothing and stay what they are:
    what a server remembers cannot be copied, so nobody should ask for it.
    """
    copies: dict[int, Any] = {}
    return tuple(_forked(tool, copies) for tool in tools)


def _forked(tool: Tool, copies: dict[int, Any]) -> Tool:
    match tool:
        case HandleTool(session=session) | VakraTool(session=session):
            if id(session) not in copies:
                copies[id(session)] = session.copy()
            return tool.over(copies[id(session)])
        case PresentedTool(tool=inner):
            twin = _forked(inner, copies)
            return tool if twin is inner else tool.around(twin)
        case _:
            return tool
