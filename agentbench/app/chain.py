"""Runs of entry points one after the other, each in a process and a folder of its own.

A link of a chain is a run like any other: its command is printed, and its record, resuming and lineage are its own. A
link that has ended well is not run again. Links are no part of this process's group, so that Ctrl-C comes to this
process alone, which ends the link and waits until it has put its folder in order; where this process is killed outright
the system ends the link.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agentbench.app import command
from agentbench.app.children import end_with_parent
from agentbench.app.folder import CONFIG, differing
from agentbench.app.record import read_record
from agentbench.app.spelled import spelled
from agentbench.config.entry import RolloutConfig, TrainConfig
from agentbench.errors import (
    AgentbenchError,
    ConfigError,
    GateFailed,
    Interrupted,
    PreflightError,
    RunFailed,
)

ROUNDS = "rounds.json"
"""What came of each round of a training in rounds, in its folder."""
GRACE_S = 60.0
"""How long a link may take to put its folder in order, in seconds."""
_BY_CODE = {kind.exit_code: kind for kind in (RunFailed, Interrupted, PreflightError, GateFailed)}


class Link(NamedTuple):
    """One run of a chain."""

    name: str
    """Who it is in messages: `round 2, rollout`."""
    entry: str
    config: Any
    """An instance of the entry point's schema."""
    folder: Path


def run_link(link: Link, report: Callable[[str], None]) -> None:
    """Runs an entry point, goes on with what an earlier process left of it, or does nothing where it has ended well.

    What cannot be gone on with is moved aside: nothing that a run wrote is deleted.

    Raises:
        ConfigError, PreflightError, RunFailed, GateFailed, AgentbenchError: it failed, with its own exit code and line.
        Interrupted: SIGINT or SIGTERM reached it or this process; it has ended.
    """
    record = read_record(link.folder)
    same = (link.folder / CONFIG).is_file() and not differing(link.folder, link.config)
    if same and record is not None and record.get("exit_code") == 0:
        report(f"{link.name}: has ended well before, in {link.folder}")
        return
    place = f"hydra.run.dir={link.folder}"
    if same and isinstance(link.config, RolloutConfig | TrainConfig):
        place = f"resume={link.folder}"
    elif link.folder.exists():
        link.folder.rename(_unused(link.folder))
    arguments = (*spelled(link.entry, link.config), place)
    report(f"\n$ {command(link.entry, *arguments)}")
    code = _run([sys.executable, "-m", f"agentbench.{link.entry}", *arguments])
    if code:
        raise _failure(link, code)


def _run(line: list[str]) -> int:
    """The exit code; it is below zero where a signal ended the process."""
    with subprocess.Popen(line, process_group=0, preexec_fn=end_with_parent(signal.SIGTERM)) as running:
        try:
            return running.wait()
        except KeyboardInterrupt:
            _end(running)
            raise


def _end(running: subprocess.Popen[bytes]) -> None:
    running.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        running.wait(GRACE_S)
    if running.poll() is None:
        running.kill()


def _failure(link: Link, code: int) -> AgentbenchError:
    record = read_record(link.folder) or {}
    ended = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
    told = f"{link.name}: {record.get('error') or ended}"
    if code == ConfigError.exit_code:
        return ConfigError([told])
    return _BY_CODE.get(code, AgentbenchError)(told)


def _unused(folder: Path) -> Path:
    number = 1
    while (found := folder.with_name(f"{folder.name}.interrupted_{number}")).exists():
        number += 1
    return found
