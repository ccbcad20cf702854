"""What is written about a failed episode, and when failures mean that the whole run is pointless."""

from __future__ import annotations

from agentbench.config.secrets import redacted_message
from agentbench.errors import PreflightError, ServerDownError
from agentbench.types import EndReason, Trajectory

MAX_CHARS = 500
"""Longest description of a failure, in characters."""


def describe(failure: BaseException) -> str:
    """`ErrorType: first line of the message`, cut to `MAX_CHARS`, secrets blotted out as far as they are recognised."""
    lines = str(failure).strip().splitlines()
    text = f"{type(failure).__name__}: {lines[0]}" if lines else f"{type(failure).__name__}:"
    return redacted_message(text)[:MAX_CHARS]


def kind(error: str) -> str:
    """The error type at the start of a description; empty for an empty one."""
    return error.partition(":")[0]


class FailureStreak:
    """Ends a run whose first episodes all fail alike, or whose server is gone: it must not burn a thousand tasks."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kind: str | None = None
        self._length = 0
        self._broken = False

    def note(self, trajectory: Trajectory) -> None:
        """Takes the next finished episode into account; after one that differs, only a lost server ends the run.

        Raises:
            PreflightError: this was the `limit`-th episode, and all ended with the same kind of error; or a server was
                waited for in vain.
        """
        found = kind(trajectory.error) if trajectory.end is EndReason.ERROR else None
        if found == ServerDownError.__name__:
            raise PreflightError(trajectory.error.partition(": ")[2], "start the server again")
        if self._broken:
            return
        self._broken = found is None or self._kind not in (None, found)
        self._kind, self._length = found, self._length + 1
        if not self._broken and self._length == self._limit:
            raise PreflightError(f"the first {self._limit} episodes all failed: {trajectory.error}")
