"""What every entry point shares: instant help, one Hydra run, every configuration error at once, exit codes.

0 done                          3 finished, with more failures than allowed        5 the world is not ready
1 a bug of ours (traceback)     4 interrupted; what is finished can be gone on with 6 a self-check did not hold
2 the configuration is wrong
"""

from __future__ import annotations

import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from agentbench.app.help import help_text
from agentbench.app.terminal import Harmless, plain
from agentbench.errors import Interrupted

if TYPE_CHECKING:
    from types import FrameType

    from rich.console import RenderableType


class Job(NamedTuple):
    """One run of a sweep, after its end."""

    overrides: tuple[str, ...]
    """What sets it apart, as typed: `env.tools=rest`."""
    folder: Path
    problem: str
    """What stopped it, in one line; empty where nothing did."""


class Entry(NamedTuple):
    """One `python -m agentbench.<name>`."""

    name: str
    """Name of the module and of its primary file in conf/."""
    doc: str | None
    """What it does, three examples, its exit codes: the beginning of `--help`."""
    config: str
    """Name of its schema in `agentbench.config.entry`; a name, because `--help` is too quick to import it."""
    run: Callable[[Any, Path], float | None]
    """Takes the configuration and the folder to write to; gives the figure that a search maximises, if there is one."""
    after_sweep: Callable[[Sequence[Job]], None] | None = None
    """Sums up the jobs of a sweep (`-m`), in their order; not asked where the sweep was interrupted."""


def main(entry: Entry) -> int:
    """Answers the process's command line; gives the exit code.

    Raises:
        SystemExit: the run was interrupted; with its exit code.
    """
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    arguments = sys.argv[1:]
    code = 0
    try:
        if {"-h", "--help"} & set(arguments):
            print(help_text(entry.name, entry.doc, entry.config))
        else:
            from agentbench.app.run import run

            code = run(entry, arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        print(f"error: interrupted before the start\nnext: {command(entry.name, *arguments)}", file=sys.stderr)
        code = Interrupted.exit_code
    finally:
        # A Ctrl-C that passed through code in a string, as named tuples are made of, would end Python by SIGINT at its
        # exit, whatever the exit code; running another such code takes that back.
        eval("None")
    return code


def _as_ctrl_c(_number: int, frame: FrameType | None) -> None:
    """SIGTERM does what Ctrl-C does at the moment; asyncio, for one, takes Ctrl-C in its own way."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(signal.SIGINT, frame)


def command(entry: str, *arguments: str) -> str:
    """The shell command that runs an entry point."""
    return shlex.join(["python", "-m", f"agentbench.{entry}", *arguments])


def say(line: str) -> None:
    """A line for the user, on the console and in the run's log."""
    from agentbench.config.secrets import redacted_message

    print(plain(redacted_message(line)), flush=True)
    logging.getLogger(__name__).info(line)


def show(table: RenderableType) -> None:
    """A table for the user; where the console is no terminal, wide enough that nothing is folded.

    Texts are shown as they are: brackets are no markup, and nothing in them is obeyed.
    """
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 140, markup=False, emoji=False).print(Harmless(table))
