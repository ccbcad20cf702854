"""Several servers with the same model behind one `Llm`.

A new episode goes to the server with the fewest requests under way, and stays there, because that server has computed
the beginning of its prompts; it moves when its server is much busier than another, or gone. What one server fails to
answer is asked of another. A server that is gone is left out and asked in the background whether it is back.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from agentbench.errors import LlmError, PreflightError
from agentbench.llm import Request
from agentbench.llm.breaker import Breaker
from agentbench.llm.faults import MOST_FAULTS, Attempts, Fault, FaultKind
from agentbench.types import Generation

MUCH_BUSIER, SLACK = 2, 4
"""An episode leaves its server when that one has more than 2 n + 4 requests under way, n being the fewest elsewhere."""
HOMES_KEPT = 100_000
"""Episodes whose server is remembered: as many as can be under way at once."""

_log = logging.getLogger(__name__)


class Member(Protocol):
    """One server: an `Llm` that neither repeats attempts nor waits for a server that is down, and can be asked."""

    async def generate(self, request: Request) -> Generation:
        """The completion of one request; an `LlmError` whose cause is a `Fault` may be mended by another attempt."""
        ...

    async def check(self) -> None:
        """Raises `PreflightError` if the server cannot answer requests for the model."""
        ...

    async def close(self) -> None:
        """Closes all connections."""
        ...


class Fleet:
    """An `Llm` over several servers. All its methods belong to one event loop."""

    def __init__(
        self, members: Mapping[str, Member], *, max_retries: int, down_timeout_s: float, report: Callable[[str], None]
    ) -> None:
        """`members` by address; `report` gets a line whenever one is left out.

        `max_retries` and `down_timeout_s` are those of `config.model.OpenAIModel`, for all servers together.
        """
        self._servers = tuple(_Server(address, member) for address, member in members.items())
        self._max_retries = max_retries
        self._report = report
        self._all = f"every one of {len(members)} servers"
        self._homes: OrderedDict[int, _Server] = OrderedDict()
        self.breaker = Breaker(self._all, self._any_is_up, down_timeout_s)
        """Whether any server is there."""

    async def generate(self, request: Request) -> Generation:
        """The completion of one request.

        Raises:
            LlmError: the prompt does not fit, a server refuses it, or servers fail in all attempts.
            ServerDownError: all servers were down for longer than is waited.
        """
        started, attempts = time.perf_counter(), Attempts(self._max_retries)
        avoided: _Server | None = None
        while True:
            server = await self._server(request, avoided)
            asked = time.perf_counter()
            try:
                generation = await server.ask(request)
                break
            except LlmError as error:
                await self._recover(server, error, attempts)
                avoided = server
        return replace(
            generation,
            seconds=time.perf_counter() - started,
            queue_seconds=generation.queue_seconds + asked - started,
            faults=(*(kind.value for kind in attempts.faults), *generation.faults),
        )

    async def check(self) -> None:
        """Asks every server once; those that cannot answer are left out, with a line for the user.

        Raises:
            PreflightError: none of them can.
        """
        problems = await asyncio.gather(*(server.problem() for server in self._servers))
        if all(problems) and problems[0]:
            raise PreflightError(f"none of {len(problems)} servers can be used: {problems[0]}", problems[0].next_step)
        for server, problem in zip(self._servers, problems, strict=True):
            if problem:
                self._leave_out(server, str(problem))

    async def close(self) -> None:
        """Closes all connections."""
        await self.breaker.close()
        for server in self._servers:
            await server.breaker.close()
            await server.member.close()

    async def _server(self, request: Request, avoided: _Server | None) -> _Server:
        """Whom to ask, once anyone is there."""
        while True:
            if self.breaker.is_down:
                await self.breaker.passage()
            live = [server for server in self._servers if not server.breaker.is_down]
            if live:
                return self._chosen(request.episode, [it for it in live if it is not avoided] or live)
            self.breaker.failed(FaultKind.UNREACHABLE)
            if not self.breaker.is_down:
                raise LlmError(f"{self._all} is down", "start the servers, see their logs", retryable=True)

    def _chosen(self, episode: int | None, servers: Sequence[_Server]) -> _Server:
        least = min(servers, key=lambda server: (server.under_way, server.asked))
        home = self._homes.get(episode) if episode is not None else None
        stays = home in servers and home is not None and home.under_way <= MUCH_BUSIER * least.under_way + SLACK
        chosen = home if home is not None and stays else least
        if episode is not None:
            self._homes[episode] = chosen
            self._homes.move_to_end(episode)
            if len(self._homes) > HOMES_KEPT:
                self._homes.popitem(last=False)
        return chosen

    async def _recover(self, server: _Server, error: LlmError, attempts: Attempts) -> None:
        """Waits until the next attempt is due; a server that is gone costs no attempt.

        Raises:
            LlmError: there is to be none.
        """
        fault = error.__cause__
        if not isinstance(fault, Fault):
            raise error
        was_there = not server.breaker.is_down
        server.breaker.failed(fault.kind)
        if server.breaker.is_down and was_there:
            self._leave_out(server, str(fault))
        if server.breaker.is_down and len(attempts.faults) < MOST_FAULTS:
            attempts.faults.append(fault.kind)
        elif not attempts.may_go_on(fault.kind):
            raise LlmError(f"{fault} (attempts: {len(attempts.faults)})", fault.advice, retryable=True) from fault
        else:
            await asyncio.sleep(attempts.pause_s(fault))

    def _leave_out(self, server: _Server, problem: str) -> None:
        server.breaker.failed(FaultKind.UNREACHABLE)
        line = f"left out until it answers: {problem}"
        _log.warning(line)
        self._report(line)

    async def _any_is_up(self) -> bool:
        return not all(server.breaker.is_down for server in self._servers)


class _Server:
    """One server and what is under way there."""

    def __init__(self, address: str, member: Member) -> None:
        self.member = member
        self.breaker = Breaker(address, self._is_up, math.inf)
        self.under_way = 0
        self.asked = 0

    async def ask(self, request: Request) -> Generation:
        self.under_way += 1
        self.asked += 1
        try:
            generation = await self.member.generate(request)
        finally:
            self.under_way -= 1
        self.breaker.answered()
        return generation

    async def problem(self) -> PreflightError | None:
        """Why it cannot be used; `None` where it can."""
        try:
            await self.member.check()
        except PreflightError as error:
            return error
        return None

    async def _is_up(self) -> bool:
        return await self.problem() is None
