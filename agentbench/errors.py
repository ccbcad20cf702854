"""Every error a user can cause, in one tree. Anything else that escapes is a bug of ours.

AgentbenchError            one line for the user, no traceback
├── ConfigError            the configuration is wrong (exit 2); carries every broken rule at once
├── PreflightError         the configuration is fine, the world is not: file missing, server dead … (exit 5)
│   └── DataError          a file's content is wrong; names file and line
├── RunFailed              the run ended with more failures than its budget allows (exit 3)
├── Interrupted            Ctrl-C or SIGTERM; everything finished is on disk and can be resumed (exit 4)
├── GateFailed             a self-check did not hold (exit 6)
├── LlmError               a model server or model could not answer; recorded on the trajectory
│   └── ServerDownError    the server was down for longer than is waited; ends the run, which can be resumed
├── RetrieverError         a search engine could not answer; recorded on the trajectory, no message for the agent
├── ReplayError            an environment answered a repeated action otherwise; recorded on the branch
├── ToolServerError        somebody's tool server was lost; recorded on the trajectory, no message for the agent
└── ToolError              a tool refuses or fails; becomes an observation, never leaves the environment
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class AgentbenchError(Exception):
    """What went wrong in one line; `next_step` is the command or change that goes on from here."""

    exit_code = 1

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.next_step = next_step


class ConfigError(AgentbenchError):
    """All broken rules of a configuration together, one line each in `problems`."""

    exit_code = 2

    def __init__(self, problems: Sequence[str], next_step: str = "") -> None:
        super().__init__("\n".join(problems), next_step)
        self.problems = tuple(problems)


class PreflightError(AgentbenchError):
    """Something outside the configuration that a run needs is missing, broken, locked or unreachable."""

    exit_code = 5


class DataError(PreflightError):
    """A file holds something it should not; the message names the file and, where it has lines, the line."""

    def __init__(self, path: Path | str, problem: str, line: int | None = None, next_step: str = "") -> None:
        place = f"{path}, line {line}" if line is not None else f"{path}"
        super().__init__(f"{place}: {problem}", next_step)


class RunFailed(AgentbenchError):
    """More episodes failed than `max_failures` allows."""

    exit_code = 3


class Interrupted(AgentbenchError):
    """The user or the system asked to stop; what was finished is kept."""

    exit_code = 4


class GateFailed(AgentbenchError):
    """A self-check found a number on the wrong side of its limit."""

    exit_code = 6


class LlmError(AgentbenchError):
    """A model could not answer. `retryable` says whether asking again can help."""

    exit_code = PreflightError.exit_code  # where it ends a run: the world is not ready

    def __init__(self, message: str, next_step: str = "", *, retryable: bool = False) -> None:
        super().__init__(message, next_step)
        self.retryable = retryable


class ServerDownError(LlmError):
    """A model server was down for longer than is waited for it; all other episodes would find it so too."""

    def __init__(self, message: str, next_step: str) -> None:
        super().__init__(message, next_step, retryable=True)


class RetrieverError(AgentbenchError):
    """A search engine could not answer a search: server gone, index lost. Neither the agent's fault nor its answer."""

    exit_code = PreflightError.exit_code


class ReplayError(AgentbenchError):
    """An environment that was played again did not come back to the state it was to be brought to."""


class ToolServerError(AgentbenchError):
    """A tool server of somebody else was lost in the middle of a run, and with it what it may have remembered."""

    exit_code = PreflightError.exit_code


class ToolError(AgentbenchError):
    """A tool could not do what was asked; its message is what the agent gets to read."""
