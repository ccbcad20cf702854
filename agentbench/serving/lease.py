"""One run's share in a model server: starts it where it is not there, joins it where it is, lets it go at the end.

Runs meet in a folder named after all that makes a server what it is. The lock each of them holds is what keeps the
server alive (see `keeper`), so none has to be told of, and the last one to end stops it: in an ordinary end at once, in
any other within a second or two.

Jobs of a sweep run one after the other in one process. So that one server lasts for all of them, a process keeps its
lease until it wants another server, or ends.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import orjson

from agentbench.errors import PreflightError
from agentbench.serving.client import ServerClient
from agentbench.serving.failures import Failure, failure_in
from agentbench.serving.folder import (
    LOG,
    USERS_LOCK,
    ServerState,
    deciding,
    is_kept,
    keeper_pid,
    read_state,
    try_lock,
    write_state,
)
from agentbench.serving.keeper import GRACE_S
from agentbench.serving.status import Report, showing

LOOPBACK = "127.0.0.1"
_POLL_S = 0.2
_ASK_S = 0.5
"""Seconds between two questions whether a server is ready."""
_STOP_S = GRACE_S + 10.0


class ServerPlan(NamedTuple):
    """A server that is wanted."""

    folder: Path
    """Where runs that want the same one meet."""
    name: str
    """What the model is called there."""
    host: str
    port: int
    """0: any free one."""
    command: Callable[[int], list[str]]
    """The command line for a port."""
    environment: Mapping[str, str]
    start_timeout_s: float
    api_key: str = ""
    """What the server asks for; empty where it asks for nothing."""


class Lease:
    """A share in a server; `release` gives it back."""

    def __init__(self, plan: ServerPlan) -> None:
        """Joins the server, or starts it; it need not answer yet.

        Raises:
            PreflightError: the port that is asked for is taken, or the server is up at another address.
        """
        plan.folder.mkdir(parents=True, exist_ok=True)
        self.folder = plan.folder
        self._users = (plan.folder / USERS_LOCK).open("ab")
        try:
            with deciding(plan.folder):
                fcntl.flock(self._users, fcntl.LOCK_SH)  # waits while the last one's server is being stopped
                self.joined = is_kept(plan.folder)
                if not self.joined:
                    _start(plan)
            self.state = read_state(plan.folder)
            self._check_address(plan)
        except BaseException:
            self._users.close()
            raise
        self.client = ServerClient(self.state.url, plan.api_key)

    def _check_address(self, plan: ServerPlan) -> None:
        port = int(self.state.url.rpartition(":")[2])
        if plan.port not in (0, port) or plan.host not in (LOOPBACK, self.state.host):
            problem = f"such a server listens on {self.state.host}:{port} already, not on {plan.host}:{plan.port}"
            raise PreflightError(problem, "leave serve.host and serve.port away to use that one, or stop it first")

    @property
    def log(self) -> Path:
        """What the server says."""
        return self.folder / LOG

    def wait_until_ready(self, timeout_s: float, report: Report) -> None:
        """Returns once the server answers; says meanwhile what it is at.

        Raises:
            PreflightError: it ended, or does not answer in time; with the reason from its log.
        """
        if self.joined and self.client.is_ready(self.state.name):
            report(f"model server: {self.state.url} is up already and serves this run too")
            return
        end = time.monotonic() + timeout_s
        with showing("model server", self.log, report):
            while not self.client.is_ready(self.state.name):
                self.raise_if_dead("could not be started")
                if time.monotonic() > end:
                    problem = f"the model server did not answer within {timeout_s:g} s; log: {self.log}"
                    raise PreflightError(problem, "raise serve.start_timeout_s, or see what the log says last")
                time.sleep(_ASK_S)
        report(f"model server: {self.state.url}")

    def raise_if_dead(self, what: str = "died") -> None:
        """Says why the server is gone, if it is.

        Raises:
            PreflightError: it is.
        """
        if not is_kept(self.folder):
            failure = self.failure()
            raise PreflightError(f"the model server {what}: {failure.reason}; log: {self.log}", failure.next_step)

    def failure(self) -> Failure:
        """What the log says last."""
        return failure_in(self.log)

    def release(self) -> None:
        """Gives the share back; the last one to do so stops the server and waits for its end."""
        if self._users.closed:
            return
        with self._users:
            if try_lock(self._users, fcntl.LOCK_EX) and is_kept(self.folder):
                _stop(self.folder)


_kept: list[Lease] = []
"""The lease of this process; at most one."""


def lease_of_process(plan: ServerPlan, report: Report) -> Lease:
    """The lease this process has on the server, or a new one; it lasts until another is wanted or the process ends.

    Raises:
        PreflightError: the server cannot be started, ends, or does not answer in time.
    """
    if _kept and _kept[0].folder == plan.folder and is_kept(plan.folder):
        return _kept[0]
    let_go()
    lease = Lease(plan)
    _kept.append(lease)
    try:
        lease.wait_until_ready(plan.start_timeout_s, report)
    except BaseException:
        let_go()
        raise
    return lease


@atexit.register
def let_go() -> None:
    """Ends the lease of this process."""
    with contextlib.suppress(KeyboardInterrupt):  # the lock goes with the process, and the server with the lock
        while _kept:
            _kept.pop().release()


def _start(plan: ServerPlan) -> None:
    port = _free_port(plan.host, plan.port)
    command = plan.command(port)
    host = LOOPBACK if plan.host in ("0.0.0.0", "") else plan.host
    write_state(plan.folder, ServerState(f"http://{host}:{port}", plan.host, plan.name, tuple(command)))
    folder = str(plan.folder.absolute())
    told = orjson.dumps({"folder": folder, "command": command, "environment": dict(plan.environment)})
    keeper = [sys.executable, "-m", "agentbench.serving.keeper"]
    with (plan.folder / LOG).open("wb") as log:  # never this run's own streams, whose reader would wait for the keeper
        subprocess.run(keeper, input=told, stdout=log, stderr=log, start_new_session=True, check=True)


def _stop(folder: Path) -> None:
    """Ends the server while nobody can join it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(keeper_pid(folder), signal.SIGTERM)
    end = time.monotonic() + _STOP_S
    while is_kept(folder) and time.monotonic() < end:
        time.sleep(_POLL_S)


def _free_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            problem = f"serve.port={port}: {host}:{port} cannot be listened on: {error.strerror}"
            raise PreflightError(problem, "set serve.port=0, which takes any free one") from error
        return probe.getsockname()[1]
