"""A server lives as long as one of its users, and not a second more than it takes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from agentbench.errors import PreflightError
from agentbench.serving.folder import keeper_pid
from agentbench.serving.lease import Lease, ServerPlan, lease_of_process, let_go
from tests.serving.conftest import Plan, gone, processes

USER = Path(__file__).with_name("lease_user.py")


def leased(plan: ServerPlan) -> Lease:
    lease = Lease(plan)
    try:
        lease.wait_until_ready(plan.start_timeout_s, print)
    except BaseException:
        lease.release()
        raise
    return lease


@contextmanager
def another_user(plan: ServerPlan) -> Iterator[subprocess.Popen[str]]:
    """Another process with a lease of the same server, once it has it."""
    told = {
        **plan._asdict(),
        "folder": str(plan.folder),
        "command": plan.command(12345),
        "environment": dict(os.environ),
    }
    with subprocess.Popen(
        [sys.executable, str(USER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(orjson.dumps(told).decode() + "\n")
        process.stdin.flush()
        assert any(line.startswith("ready") for line in process.stdout)
        try:
            yield process
        finally:
            process.kill()


def test_a_server_lives_from_the_first_lease_to_the_last(plan: Plan, tmp_path: Path) -> None:
    wanted = plan()
    first = leased(wanted)
    second = leased(wanted)
    assert (first.joined, second.joined) == (False, True)
    assert first.state.url == second.state.url and second.client.models() == ("some-model",)
    first.release()
    assert second.client.is_ready("some-model")
    second.release()
    assert not processes(tmp_path)


def test_what_the_server_started_ends_with_it_even_against_its_will(plan: Plan, tmp_path: Path) -> None:
    lease = leased(plan(stubborn=True))
    assert len(processes(tmp_path)) == 2  # the server and its worker
    lease.release()
    assert not processes(tmp_path)


def test_a_server_that_dies_at_its_start_is_told_by_its_reason(plan: Plan) -> None:
    wanted = plan(die="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.")
    with pytest.raises(PreflightError) as caught:
        leased(wanted)
    assert ": torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.; log: " in str(caught.value)
    assert "serve.memory_share" in caught.value.next_step


def test_a_server_that_does_not_answer_in_time_is_ended(plan: Plan, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match=r"did not answer within 0.5 s; log: .*server.log"):
        leased(plan(start_timeout_s=0.5, seconds=60))
    assert not processes(tmp_path)


def test_a_taken_port_is_told_before_anything_starts(plan: Plan, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PreflightError, match=f"serve.port={port}: .*in use"):
            Lease(plan(port=port))


def test_a_server_is_not_moved_to_another_port(plan: Plan) -> None:
    lease = leased(plan())
    try:
        with pytest.raises(PreflightError, match="such a server listens on "):
            Lease(plan(port=1))
    finally:
        lease.release()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_server_ends_with_its_only_user_however_that_ends(how: signal.Signals, plan: Plan, tmp_path: Path) -> None:
    with another_user(plan(stubborn=True)) as user:
        assert processes(tmp_path)
        user.send_signal(how)
        user.wait(20)
        assert gone(tmp_path)


def test_a_killed_user_takes_no_server_from_the_others(plan: Plan) -> None:
    wanted = plan()
    with another_user(wanted) as user:
        lease = leased(wanted)
        user.kill()
        user.wait()
        try:
            lease.raise_if_dead()
            assert lease.joined and lease.client.is_ready("some-model")
        finally:
            lease.release()


def test_a_server_that_was_killed_is_told_as_that(plan: Plan, tmp_path: Path) -> None:
    lease = leased(plan())
    (server,) = processes(tmp_path)
    os.kill(server, signal.SIGKILL)
    assert gone(tmp_path)
    lease.release()
    with pytest.raises(
        PreflightError, match="died: the server ended with SIGKILL: somebody, or Linux for lack of memory"
    ):
        lease.raise_if_dead()


def test_the_server_ends_with_its_killed_keeper(plan: Plan, tmp_path: Path) -> None:
    lease = leased(plan())
    os.kill(keeper_pid(lease.folder), signal.SIGKILL)
    assert gone(tmp_path)
    with pytest.raises(PreflightError, match=r"^the model server died: "):
        lease.raise_if_dead()
    lease.release()


def test_a_process_keeps_its_lease_for_its_next_job(plan: Plan) -> None:
    wanted = plan()
    try:
        first = lease_of_process(wanted, print)
        assert lease_of_process(wanted, print) is first
        other = lease_of_process(wanted._replace(folder=wanted.folder / "other"), print)
        assert not first.client.is_ready("some-model") and other.client.is_ready("some-model")
    finally:
        let_go()


def test_a_server_that_died_between_two_jobs_is_started_again(plan: Plan) -> None:
    wanted = plan()
    try:
        first = lease_of_process(wanted, print)
        os.kill(keeper_pid(first.folder), signal.SIGTERM)
        assert gone(wanted.folder.parent.parent)
        assert lease_of_process(wanted, print).client.is_ready("some-model")
    finally:
        let_go()
