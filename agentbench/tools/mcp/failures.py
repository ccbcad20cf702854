"""What is wrong with an MCP server, in words: its fault, the network's, or the configuration's."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from agentbench.config.env import HttpServer, McpServer
from agentbench.errors import PreflightError
from agentbench.tools.mcp.results import one_line
from agentbench.tools.mcp.transports import Life

if TYPE_CHECKING:
    from mcp import Client, MCPError

_OWN_ERRORS = (400, 404)
"""HTTP statuses that newer servers send along with a JSON-RPC error of their own; older ones use them for a session
that they do not know."""


class Problem(NamedTuple):
    """The rest of a line that begins with the server, and what to do."""

    text: str
    next_step: str


def opening_problem(failure: BaseException | None, server: McpServer, life: Life, section: str) -> Problem:
    """Why a server could not be opened; no failure means that it took too long.

    Raises:
        BaseException: the failure itself, where it is neither the server's nor the network's.
    """
    import httpx2
    from mcp import MCPError
    from mcp.types import CONNECTION_CLOSED
    from pydantic import ValidationError

    look = f"correct {section}"
    refused = life.refusals[-1] if life.refusals else 0
    if isinstance(server, HttpServer) and refused in (401, 403):
        return _key_problem(server, refused, section)
    match _first(failure):
        case None:
            return Problem(f"gave no answer within {server.timeout_s:g} s", f"raise {section}.timeout_s, or {look}")
        case PreflightError() as error:
            return Problem(f"cannot be used: {error}", error.next_step)
        case MCPError(code=code) if code == CONNECTION_CLOSED:
            return Problem("ended before it was ready", look)
        case MCPError() as error:
            status = f" (HTTP {refused})" if refused else ""
            return Problem(f"does not answer as an MCP server does{status}: {one_line(error.message, 200)}", look)
        case (httpx2.HTTPError() | httpx2.InvalidURL() | OSError()) as error:
            return Problem(f"cannot be reached: {one_line(str(error), 200) or type(error).__name__}", look)
        case (ValidationError() | RuntimeError()) as error:
            return Problem(f"does not answer as an MCP server does: {one_line(str(error), 200)}", look)
        case other:
            raise other


class Verdict(StrEnum):
    """Whose failure a failed call is."""

    TOOL = "tool"
    """The server answered: the tool or the protocol says no."""
    REFUSED = "refused"
    """Something refused the request by its HTTP status; the session may live on."""
    LOST = "lost"
    """There is no session any more."""


def verdict(error: MCPError, client: Client, refusals: Sequence[int]) -> Verdict:
    """Whose failure an error is, by its code and the HTTP statuses that its call met."""
    from mcp.types import CONNECTION_CLOSED
    from mcp.types.version import MODERN_PROTOCOL_VERSIONS

    if error.code == CONNECTION_CLOSED:
        return Verdict.LOST
    if all(status in _OWN_ERRORS for status in refusals):
        return Verdict.LOST if refusals and client.protocol_version not in MODERN_PROTOCOL_VERSIONS else Verdict.TOOL
    return Verdict.REFUSED


def _key_problem(server: HttpServer, status: int, section: str) -> Problem:
    if not server.api_key_env:
        return Problem(f"wants a key and none is set (HTTP {status})", f"name its variable as {section}.api_key_env")
    name = server.api_key_env
    place = f"put a valid one into the environment variable {name}, or a line {name}=… into .env"
    return Problem(f"refuses the key (HTTP {status})", place)


def _first(failure: BaseException | None) -> BaseException | None:
    """What the nested groups, in which the SDK's tasks end, hold first."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return failure
