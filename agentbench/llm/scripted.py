"""A model that says what it was told to say. For tests only: no entry point builds one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from agentbench.errors import LlmError
from agentbench.llm import Request
from agentbench.types import Generation

Reply = Callable[[Request], str]


class ScriptedLlm:
    """Replies in order, or by a function of the request (which may raise `LlmError`); keeps all requests."""

    def __init__(self, replies: Iterable[str] | Reply) -> None:
        self.requests: list[Request] = []
        self.closed = False
        self._reply = replies if callable(replies) else _in_order(replies)

    async def generate(self, request: Request) -> Generation:
        """The next reply.

        Raises:
            LlmError: the script has no further reply.
        """
        self.requests.append(request)
        return Generation(request.role, self._reply(request), prompt_ids=request.prompt.ids)

    async def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


def _in_order(replies: Iterable[str]) -> Reply:
    rest = iter(replies)

    def reply(request: Request) -> str:
        try:
            return next(rest)
        except StopIteration:
            raise LlmError(f"the script has no reply left for {request.role!r}") from None

    return reply
