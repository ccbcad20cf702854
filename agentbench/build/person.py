"""A person at this process's terminal, who is asked one question at a time while the run waits."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
import time
from collections.abc import Callable

from rich.console import Console
from rich.text import Text

from agentbench.errors import PreflightError
from agentbench.reporting.plain import harmless

QUIT = "q"


class PersonAtTerminal:
    """Shows text and reads lines; the clocks of episodes stand still while an answer is waited for.

    Lines are read by a thread of its own, which a run that ends does not wait for. A closed input ends the run as
    Ctrl-C does: what is finished is kept.
    """

    breaker = None

    def __init__(self, read_line: Callable[[], str] | None = None) -> None:
        """`read_line` gives the next line with its newline, or nothing at the end; without it they are the standard
        input's."""
        self._read_line = read_line
        self._console = Console(stderr=False, highlight=False, soft_wrap=True)
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._reader: threading.Thread | None = None
        self._asked: float | None = None
        self._earlier_s = 0.0

    @property
    def is_down(self) -> bool:
        """Whether an answer is waited for."""
        return self._asked is not None

    @property
    def down_s(self) -> float:
        """Seconds for which answers have been waited for, all together."""
        return self._earlier_s + (0.0 if self._asked is None else time.monotonic() - self._asked)

    @property
    def status(self) -> str:
        """What a progress line says about it."""
        return "waiting for the person at the terminal" if self.is_down else ""

    async def preflight(self) -> None:
        """Checks that there is somebody to ask.

        Raises:
            PreflightError: the standard input is closed.
        """
        if self._read_line is None and (sys.stdin is None or sys.stdin.closed):
            raise PreflightError(
                "expert_mode=human: there is no standard input to read answers from", "run it in a terminal"
            )

    def show(self, title: str, text: str) -> None:
        """Writes a titled paragraph; control characters are written out."""
        self._console.print(Text(title, style="bold"))
        self._console.print(harmless(text))

    async def ask(self, question: str) -> str:
        """The next line; `q` and the end of the input end the run."""
        self._console.print(Text(f"{question} > ", style="cyan"), end="")
        self._start_reading()
        self._asked = time.monotonic()
        try:
            line = await self._lines.get()
        finally:
            self._earlier_s, self._asked = self.down_s, None
        if not line or line.strip().lower() == QUIT:
            signal.raise_signal(signal.SIGINT)
            await asyncio.Event().wait()  # until the run is cancelled
        return line.rstrip("\r\n")

    def _start_reading(self) -> None:
        if self._reader is None:
            loop, read = asyncio.get_running_loop(), self._read_line or sys.stdin.readline
            self._reader = threading.Thread(target=_read, args=(loop, self._lines, read), daemon=True)
            self._reader.start()


def _read(loop: asyncio.AbstractEventLoop, lines: asyncio.Queue[str], read: Callable[[], str]) -> None:
    line = "-"
    while line:
        line = read()
        if loop.is_closed():
            return
        loop.call_soon_threadsafe(lines.put_nowait, line)
