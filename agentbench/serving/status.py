"""What a starting server is at: one live line on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.text import Text

from agentbench.serving.failures import last_lines

Report = Callable[[str], None]
"""Takes a line for the user."""

_REFRESH_S = 1.0
_LINE_S = 30.0
_SHOWN_CHARS = 80


@contextmanager
def showing(what: str, log: Path, report: Report) -> Iterator[None]:
    """Shows how long it takes and the log's last line while the block runs."""
    console, started, over = Console(), time.monotonic(), threading.Event()

    def line() -> str:
        said = last_lines(log)
        at = f": {said[-1][:_SHOWN_CHARS]}" if said else ""
        return f"{what} is starting, {time.monotonic() - started:.0f} s{at}"

    def repeat(show: Callable[[], None], every_s: float) -> None:
        while not over.wait(every_s):
            show()

    if console.is_terminal:
        with console.status(line()) as live:
            ticker = threading.Thread(target=repeat, args=(lambda: live.update(Text(line())), _REFRESH_S), daemon=True)
            ticker.start()
            try:
                yield
            finally:
                over.set()
                ticker.join()
        return
    report(f"{what} is starting; log: {log}")
    ticker = threading.Thread(target=repeat, args=(lambda: report(line()), _LINE_S), daemon=True)
    ticker.start()
    try:
        yield
    finally:
        over.set()
        ticker.join()
