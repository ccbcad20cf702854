"""What is served."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agentbench.config.env import McpTransport
from agentbench.config.schema import schema


@schema
class McpServe:
    """A world's tools as an MCP server; every session is an episode of its own."""

    kind: Literal["mcp"] = "mcp"
    transport: McpTransport = McpTransport.HTTP
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8765
    """0: any free one; the address is printed."""


ServeKind = McpServe
