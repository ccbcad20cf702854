"""A function of your own that blocks, as a tool: other episodes go on while it works.

    with ThreadPoolExecutor(8) as workers:  # or a ProcessPoolExecutor, for what computes or may crash
        look_up = BlockingTool(spec, find_price, workers)
        limits = ToolLimits(timeout_s=10, at_once={"find_price": 8})
        …  # for each episode: ToolEnv((look_up,), enforce_rules=True, limits=limits)

Functions that answer in microseconds are cheaper as plain tools: a thread costs some 0.1 ms a call, a process more.
Give `ToolLimits` no more calls at once than there are workers, so that waiting for a worker is not counted as the
tool's time. A call that took too long is given up, but its worker goes on until the function returns.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import BrokenExecutor, Executor
from contextlib import suppress
from typing import Any, TypeVar

import orjson

from agentbench.errors import ToolServerError
from agentbench.types import Observation, ToolSpec

T = TypeVar("T")


class BlockingTool:
    """A blocking function behind the `Tool` protocol. It keeps nothing, so all episodes of a run may share one."""

    def __init__(
        self, spec: ToolSpec, function: Callable[[dict[str, Any]], Mapping[str, Any]], workers: Executor
    ) -> None:
        """`function` takes the checked arguments and gives a JSON object; workers that are processes need to find it
        by its name in a module. It says by a `ToolError` that it cannot; anything else it raises ends the episode."""
        self.spec = spec
        self._function = function
        self._workers = workers

    async def call(self, arguments: dict[str, Any]) -> Observation:
        """What the function gives, as JSON.

        Raises:
            ToolError: the function says that it cannot.
            ToolServerError: the process that worked on it is gone.
        """
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._workers, self._function, arguments)
        except BrokenExecutor as error:
            raise ToolServerError(f"the process behind {self.spec.name!r} ended: {error}") from error
        return Observation(orjson.dumps(found).decode())


async def in_own_thread(call: Callable[[], T]) -> T:
    """What a call gives or raises, from a thread of its own that nobody waits for.

    One that never comes back keeps its thread, and neither other calls nor the end of the program from going on.
    """
    loop = asyncio.get_running_loop()
    found: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if found.done():  # it was given up meanwhile
            return
        if error is not None:
            found.set_exception(error)
        else:
            found.set_result(result)  # type: ignore[arg-type]

    def work() -> None:
        result, failure = None, None
        try:
            result = context.run(call)
        except StopIteration:  # which no future takes
            failure = RuntimeError("StopIteration")
        except BaseException as error:  # handed on to whoever waits, who knows what to make of it
            failure = error
        with suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, result, failure)

    threading.Thread(target=work, daemon=True).start()
    return await found
