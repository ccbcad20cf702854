"""A run that is stopped from outside, in a process of its own, and what is left of it."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentbench.episodes.pool import run_async
from agentbench.episodes.run_episode import EpisodeParts
from agentbench.episodes.run_tasks import PoolSettings, run_tasks
from agentbench.episodes.store import TRAJECTORIES, read_trajectories
from agentbench.errors import Interrupted
from agentbench.types import Task

SCRIPT = Path(__file__).with_name("counting_run.py")


@contextmanager
def running(folder: Path, episodes: int) -> Iterator[subprocess.Popen[str]]:
    """A process that plays 200 episodes into the folder and has just finished some of them."""
    path = folder / TRAJECTORIES
    command = [sys.executable, str(SCRIPT), str(folder), "0.003"]
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        deadline = time.monotonic() + 30
        while not path.exists() or path.read_bytes().count(b"\n") < episodes:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        yield process


def resume(folder: Path, make_task: Callable[..., Task], make_parts: Callable[..., EpisodeParts]) -> list[str]:
    settings = PoolSettings(64, 10, 0, 60.0, 0.0, quiet=True)
    tasks = [make_task(f"task-{number}") for number in range(200)]
    summary = run_async(run_tasks(tasks, make_parts, settings, folder))
    assert (summary.n, summary.success.count) == (200, 200)
    return [trajectory.task.id for trajectory in read_trajectories(folder / TRAJECTORIES)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_keeps_everything_finished_and_the_run_can_go_on(
    number: signal.Signals, make_task: Callable[..., Task], make_parts: Callable[..., EpisodeParts], tmp_path: Path
) -> None:
    with running(tmp_path, 20) as process:
        process.send_signal(number)
        said, _ = process.communicate(timeout=30)
    kept = len(list(read_trajectories(tmp_path / TRAJECTORIES)))
    assert 20 <= kept < 200 and process.returncode == Interrupted.exit_code
    assert said == f"Interrupted: stopped by {number.name}; {kept} episodes are on disk\n"
    assert len(resume(tmp_path, make_task, make_parts)) == 200


def test_after_kill_9_and_a_torn_line_no_episode_is_lost_or_doubled(
    make_task: Callable[..., Task],
    make_parts: Callable[..., EpisodeParts],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with running(tmp_path, 50) as process:
        process.kill()
    path = tmp_path / TRAJECTORIES
    path.write_bytes(path.read_bytes() + b'{"task":{"id":"task-19')
    with caplog.at_level(logging.WARNING):
        ids = resume(tmp_path, make_task, make_parts)
    assert sorted(ids) == sorted(f"task-{number}" for number in range(200))
    assert path.read_bytes().count(b"\n") == 200
    assert "cut off a torn last line of 22 bytes" in caplog.text
